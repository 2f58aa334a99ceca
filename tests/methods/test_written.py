"""Classes of a session as method files."""

import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from benchharness import methods
from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.methods import _written
from benchharness.runs.plan import make_plan, parse_methods
from tests.support.tiny import SETTINGS

FIRST = """
import torch as t
import benchharness as bh
from benchharness import Method
from torch import Tensor, softmax
SHARP = 2.0
def scaled(alpha: Tensor):
    return alpha * SHARP
"""
SECOND = """
%matplotlib
class MyMine(Method):
    \"\"\"A sharper softmax.\"\"\"
    tau = 0.5
    def expected(self) -> Tensor:
        data = t.ones(1)
        return softmax(scaled(self.alpha) / self.tau * data, -1)
""".replace("%matplotlib\n", "")
Notebook = Callable[[str], type[methods.Method]]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """Runs a cell as IPython does: in a module without a file, its text kept by linecache."""
    module = ModuleType("session")
    monkeypatch.setitem(sys.modules, "session", module)
    cells: list[str] = []

    def run(text: str) -> type[methods.Method]:
        name = f"<ipython-input-{len(cells)}>"
        cells.append(name)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), vars(module))
        return vars(module).get("MyMine")  # type: ignore[return-value]

    yield run
    for name in cells:
        linecache.cache.pop(name, None)


def test_a_class_becomes_a_file_with_what_it_takes_from_the_session(notebook: Notebook) -> None:
    notebook(FIRST + "data = open\n")
    kind = notebook(SECOND)
    source = _written.spelling(kind)
    assert source.endswith("/my_mine.py")
    kind_loaded = methods.load(source)
    assert methods.options(kind_loaded) == {"tau": 0.5}
    method = kind_loaded(6, 5)
    assert method.expected().sum(-1).allclose(method.alpha.new_ones(6))
    text = _written.text(kind)
    assert text.index("SHARP = 2.0") < text.index("def scaled") < text.index("class MyMine")
    assert "import torch as t" in text
    assert "data" not in "".join(line for line in text.splitlines() if not line.startswith(" "))
    assert "bh" not in text, "only what it takes"


def test_another_content_is_another_run_and_the_same_the_same(notebook: Notebook) -> None:
    notebook(FIRST)

    def run_id() -> str:
        return make_plan(parse_methods(_written.spelling(kind)), [0], "digits", protocol("cpu", SETTINGS))[
            0
        ].base.run_id

    kind = notebook(SECOND)
    first = run_id()
    assert run_id() == first
    kind = notebook(SECOND.replace("0.5", "0.25"))
    changed_id = run_id()
    assert changed_id != first, "the class as it is now"
    kind = notebook(SECOND)
    assert run_id() == first
    notebook("SHARP = 3.0")
    assert run_id() not in (first, changed_id), "what it takes from the session counts too"


def test_a_class_without_functions_and_one_derived_from_another(notebook: Notebook) -> None:
    kind = notebook("from benchharness.methods.snas import Snas\nclass MyMine(Snas):\n    tau_max = 3.0\n")
    assert methods.options(methods.load(_written.spelling(kind)))["tau_max"] == 3.0
    notebook(FIRST + "class Base(Method):\n    tau = 0.5\n")
    kind = notebook("class MyMine(Base):\n    more = 1\n")
    assert methods.options(methods.load(_written.spelling(kind))) == {"tau": 0.5, "more": 1}


def test_built_in_classes_are_spelt_by_name() -> None:
    assert _written.spelling(methods.load("pc-darts")) == "pc-darts"


def test_what_cannot_travel_is_refused(notebook: Notebook) -> None:
    notebook(FIRST + "weights = t.ones(5)\n")
    kind = notebook(SECOND.replace("data = t.ones(1)", "data = weights[:1]"))
    with pytest.raises(UserError, match="MyMine uses weights, a Tensor of this session, which cannot travel"):
        _written.spelling(kind)
    kind = notebook("def f():\n    class MyMine(Method):\n        pass\n    return MyMine\nMyMine = f()\n")
    with pytest.raises(UserError, match="defined in a function"):
        _written.spelling(kind)
    for other in (int, methods.Method, "darts"):
        with pytest.raises(UserError, match="is not a method"):
            _written.spelling(other)  # type: ignore[arg-type]
    kind = notebook(SECOND)
    linecache.clearcache()
    with pytest.raises(UserError, match="source of MyMine is not known"):
        _written.spelling(kind)


def test_a_file_made_of_a_class_tells_which_it_is_of(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(_written._MARK + "\n\nclass Base:\n    pass\n\n\nclass Mine(Base):\n    pass\n")
    assert _written.class_in(path) == "Mine"
    path.write_text("class Mine:\n    pass\n")
    assert _written.class_in(path) == "", "a file of its user's own"
    assert _written.class_in(tmp_path / "none.py") == ""

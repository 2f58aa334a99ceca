"""Files beside a method's: imported, part of its identity, and carried with it."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from benchharness import methods
from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.runs.plan import make_plan, parse_methods

METHOD = '''
"""A method whose helper lies beside it."""
{imports}
from benchharness import Method

class Helped(Method):
    """softmax by a helper."""
    def expected(self):
        return {call}
'''
SHARP = "def sharp(a): return (a / 0.5).softmax(-1)"
ALPHA = torch.arange(30.0).reshape(6, 5) / 10
CASES: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "a module": ("from helper import sharp", "sharp(self.alpha)", {"helper.py": SHARP}),
    "by its name": ("import helper as h", "h.sharp(self.alpha)", {"helper.py": SHARP}),
    "by a name that is a call's": (
        "import helper",
        "__import__('helper').sharp(self.alpha)",
        {"helper.py": SHARP},
    ),
    "a helper's helper": (
        "from first import sharp",
        "sharp(self.alpha)",
        {
            "first.py": "import second\nfrom second import scale\n" + SHARP.replace("0.5", "scale"),
            "second.py": "scale = 0.5",
        },
    ),
    "a package": (
        "import pack.inner.sharp, pack",
        "pack.inner.sharp.sharp(self.alpha) if pack.name == 'pack' else None",
        {
            "pack/__init__.py": "name = 'pack'",
            "pack/inner/__init__.py": "",
            "pack/inner/sharp.py": "from ..scale import scale\n" + SHARP.replace("0.5", "scale"),
            "pack/scale.py": "scale = 0.5",
        },
    ),
    "a module of a package": (
        "from pack import sharp",
        "sharp.sharp(self.alpha)",
        {"pack/__init__.py": "", "pack/sharp.py": SHARP},
    ),
    "a folder": ("from lib.sharp import sharp", "sharp(self.alpha)", {"lib/sharp.py": SHARP}),
    "odd text": (
        "from helper import sharp, text",
        "sharp(self.alpha) if text == '#@ x\\né' else None",
        {"helper.py": "text = '''#@ x\r\né'''\r\n" + SHARP + "\r\n\r\n"},
    ),
}


def write(folder: Path, imports: str, call: str, helpers: Mapping[str, str]) -> Path:
    for name, text in {**helpers, "helped.py": METHOD.format(imports=imports, call=call)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder / "helped.py"


def expected(path: Path) -> torch.Tensor:
    method = methods.load(path)(6, 5)
    method.alpha.data = ALPHA
    return method.expected().detach()


@pytest.mark.parametrize("case", CASES)
def test_files_beside_a_method_are_imported_and_carried(tmp_path: Path, case: str) -> None:
    path = write(tmp_path / "mine", *CASES[case])
    names = {
        name for name, module in sys.modules.items() if name.partition(".")[0] in ("helper", "first", "pack", "lib")
    }
    assert torch.equal(expected(path), (ALPHA / 0.5).softmax(-1))
    copy = tmp_path / "elsewhere" / "method.py"
    copy.parent.mkdir()
    copy.write_bytes(methods.source_of(path))
    assert torch.equal(expected(copy), (ALPHA / 0.5).softmax(-1))
    assert methods.source_of(copy) == methods.source_of(path)
    files = {
        name for name, module in sys.modules.items() if name.partition(".")[0] in ("helper", "first", "pack", "lib")
    }
    assert files == names, "what is beside a method is nobody else's"


def test_an_import_inside_a_function_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path, "", "self.sharp()", {"helper.py": SHARP})
    path.write_text(
        path.read_text() + "    def sharp(self):\n        import helper\n        return helper.sharp(self.alpha)\n"
    )
    assert torch.equal(expected(path), (ALPHA / 0.5).softmax(-1))


def run_id(path: Path) -> str:
    (job,) = make_plan(parse_methods(str(path)), (0,), "digits", protocol("small", {"epochs": 1}))
    return job.base.run_id


def test_a_changed_helper_is_another_method_and_a_neighbour_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, *CASES["a helper's helper"])
    before = run_id(path)
    (tmp_path / "notes.py").write_text("nobody imports this")
    assert run_id(path) == before
    (tmp_path / "second.py").write_text("scale = 0.25")
    assert run_id(path) != before
    assert torch.equal(expected(path), (ALPHA / 0.25).softmax(-1))


def test_helpers_of_one_name_in_two_folders_are_kept_apart(tmp_path: Path) -> None:
    first_path = write(tmp_path / "one", *CASES["a module"])
    other = write(
        tmp_path / "other", "from helper import sharp", "sharp(self.alpha)", {"helper.py": SHARP.replace("0.5", "2")}
    )
    first, second = methods.load(first_path)(6, 5), methods.load(other)(6, 5)
    first.alpha.data = second.alpha.data = ALPHA
    assert torch.equal(second.expected(), (ALPHA / 2).softmax(-1))
    assert torch.equal(first.expected(), (ALPHA / 0.5).softmax(-1))


def test_a_method_that_imports_nothing_beside_it_is_its_file_alone(tmp_path: Path) -> None:
    """Nor does a file that is called like a standard module or a library of ours change what that is."""
    path = write(tmp_path, "import json, torch, math", "self.alpha.softmax(-1)", {"json.py": "x", "torch.py": "x"})
    assert methods.source_of(path) == path.read_bytes()
    (job,) = make_plan(parse_methods(str(path)), (0,), "digits", protocol("small", {"epochs": 1}))
    assert job.base.source == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"def sharp(a:", "does not load: SyntaxError"),
        (b"text = '\xff'", "helper.py, which a method imports, is not text in UTF-8"),
        (b"from nowhere_to_be_found import x", "does not load: ModuleNotFoundError: No module named 'nowhere_to"),
        (b"1 / 0", "does not load: ZeroDivisionError"),
    ],
)
def test_a_helper_that_cannot_be_loaded_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = write(tmp_path, "from helper import sharp", "sharp(self.alpha)", {})
    (tmp_path / "helper.py").write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        methods.load(path)

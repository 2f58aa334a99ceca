"""Names in a user's file that would silently do nothing."""

from importlib import import_module
from pathlib import Path

import pytest

from benchharness import cli, methods
from benchharness.errors import UserError
from benchharness.methods import _hooks

METHOD = "from benchharness import Method\nclass Mine(Method):\n    '''Mine.'''\n"
SELECTION = (
    "from dataclasses import dataclass\nfrom benchharness import Method, Selection\n"
    "@dataclass(frozen=True)\nclass Own(Selection):\n    def candidate(self):\n        return [0]\n"
    "class Mine(Method):\n    selection = Own\n"
)
UPDATE = (
    "from benchharness import Method, Update\nclass Own(Update):\n    def step_weight(self, batch, when):\n"
    "        return None\nclass Mine(Method):\n    update = Own\n"
)
MISSPELT = {
    "Mine.expcted overrides nothing; did you mean 'expected'?": METHOD + "    def expcted(self): return self.alpha\n",
    "did you mean 'draw_for_weights'?": METHOD + "    def draw_for_weight(self, progress, loss): return None\n",
    "did you mean 'draw'?": METHOD + "    def Draw(self, progress): return None\n",
    "did you mean 'selection'?": METHOD + "    selecton = 'strength'\n",
    "did you mean 'selection_options'?": METHOD + "    selection_option = {'none': False}\n",
    "Own.candidate overrides nothing; did you mean 'candidates'?": SELECTION,
    "Own.step_weight overrides nothing; did you mean 'step_weights'?": UPDATE,
    "Mine.widths is a list, which cannot be an option": METHOD + "    widths = [1, 2]\n",
    "Mine.taus is a dict, which cannot be an option": METHOD + "    taus = {'max': 1.0}\n",
}
FINE = (
    "    samples = 3\n",
    "    draws = 2\n",
    "    _widths = [1, 2]\n",
    "    WIDTHS = (1, 2)\n",
    "    selection_options = {'none': False}\n    selection = 'strength'\n",
    "    def sharpened(self): return self.alpha\n",
    "    def forward(self): return self.alpha\n",
)


@pytest.mark.parametrize("sentence", MISSPELT)
def test_a_name_that_does_nothing_is_refused_with_the_right_one(sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MISSPELT[sentence])
    with pytest.raises(UserError) as error:
        methods.load(tmp_path / "mine.py")
    assert sentence in str(error.value)


@pytest.mark.parametrize("command", [["check"], ["run", "--dry-run", "--methods"]])
def test_check_and_run_both_refuse_it(
    command: list[str], tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(next(iter(MISSPELT.values())))
    assert cli.main([*command, str(tmp_path / "mine.py")]) == 2
    assert "did you mean 'expected'?" in capsys.readouterr().err


@pytest.mark.parametrize("body", FINE)
def test_names_of_ones_own_are_taken(body: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(METHOD + body)
    assert methods.load(tmp_path / "mine.py").__name__ == "Mine"


@pytest.mark.parametrize("name", methods.names())
def test_no_built_in_method_would_be_refused(name: str) -> None:
    _hooks.check_names(import_module(f"benchharness.methods.{name.replace('-', '_')}"))

"""The conformance checks: every built-in method passes, and broken ones are told why they do not."""

import ast
from pathlib import Path

import pytest

from benchharness import methods
from benchharness.errors import UserError
from benchharness.methods import _template
from benchharness.runs.conformance import Finding, _finding, check_method, draws_take_little_time

HEAD = "import torch\nfrom benchharness import Method\nclass Mine(Method):\n    '''Mine.'''\n"
BROKEN = {
    "sums to": "    def expected(self):\n        return self.alpha.sigmoid()\n",
    "is negative": "    def expected(self):\n        return self.alpha / self.alpha.sum(-1, keepdim=True)\n",
    "has shape": "    def draw(self, progress):\n        return self.alpha.softmax(-1)[0]\n",
    "gave alpha[0, 4] a gradient": (
        "    def draw(self, progress):\n        a = self.alpha\n"
        "        return torch.cat([a[:, :4], a[:, 4:].detach()], 1).mul(torch.eye(5)[:4].sum(0)).softmax(-1)\n"
    ),
    "is detached from it": "    def draw(self, progress):\n        return self.alpha.detach().softmax(-1)\n",
    "with one seed differ": (
        "    count = 0\n    def draw(self, progress):\n        type(self).count += 1\n"
        "        return (self.alpha * self.count).softmax(-1)\n"
    ),
    "is not finite": (
        "    def expected(self):\n        e = (3 * self.alpha).exp()\n        return e / e.sum(-1, keepdim=True)\n"
    ),
    "depends on more than its state": (
        "    def __init__(self, edges, ops):\n        super().__init__(edges, ops)\n"
        "        self.by = float(torch.rand(()))\n"
        "    def draw(self, progress):\n        return (self.by * self.alpha).softmax(-1)\n"
    ),
    "favours an operation": "    def expected(self):\n        return (self.alpha + torch.arange(5.0)).softmax(-1)\n",
    "item in line 6 of mine.py": "    def draw(self, progress):\n"
    "        return self.alpha.softmax(-1) * (self.alpha.sum().item() * 0 + 1)\n",
    "ZeroDivisionError": "    def draw(self, progress):\n        return self.alpha.softmax(-1) / (1 // 0)\n",
}


def failures(findings: list[Finding]) -> list[str]:
    return [f"{finding.check}: {finding.reason}" for finding in findings if finding.state == "failed"]


@pytest.mark.parametrize("name", methods.names())
def test_every_built_in_method_passes(name: str) -> None:
    findings = check_method(name)
    assert failures(findings) == []
    assert len(findings) == 11


@pytest.mark.parametrize("sentence", BROKEN)
def test_a_broken_method_is_told_what_failed_and_why(sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAD + BROKEN[sentence])
    assert any(sentence in line for line in failures(check_method(file)))


def test_a_search_that_forgets_something_is_found(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        HEAD + "    def __init__(self, edges, ops):\n        super().__init__(edges, ops)\n        self.calls = 0\n"
        "    def draw(self, progress):\n        self.calls += 1\n"
        "        return (self.alpha * (1 + self.calls)).softmax(-1)\n"
    )
    assert any("a resumed search differs" in line for line in failures(check_method(file)))


def test_a_new_file_already_runs_and_passes(tmp_path: Path) -> None:
    file = tmp_path / "my_method.py"
    _template.write_method_file(file)
    text = file.read_text()
    assert 15 <= len(text.splitlines()) <= 25
    assert max(map(len, text.splitlines())) <= 120
    assert "class MyMethod(Method)" in text
    ast.parse(text)
    findings = check_method(file)
    assert failures(findings) == []
    assert {finding.state for finding in findings} <= {"passed", "skipped"}
    assert methods.options(methods.load(file)) == {"tau_max": 2.0, "tau_min": 0.5}


def test_new_refuses_names_that_will_not_do(tmp_path: Path) -> None:
    (tmp_path / "there.py").touch()
    for name, sentence in (("there.py", "already"), ("mine.txt", "end in .py"), ("darts_pt.py", "built-in")):
        with pytest.raises(UserError, match=sentence):
            _template.write_method_file(tmp_path / name)


def test_a_selection_and_a_rule_of_ones_own_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom benchharness import Method, Selected, Selection\n"
        "from benchharness.methods._updates import FirstOrder\nimport numpy as np\n\n"
        "@dataclass(frozen=True)\nclass Second(Selection):\n    '''The second largest.'''\n    place: int = 2\n"
        "    def __call__(self, method, evaluation):\n"
        "        scores = method.expected().detach().numpy().astype(float)\n"
        "        return Selected(tuple(np.argsort(-scores)[:, self.place - 1].tolist()), scores)\n\n"
        "class Rule(FirstOrder):\n    def alpha_first(self):\n        return True\n\n"
        "class Mine(Method):\n    '''Mine.'''\n    update = Rule\n    selection = Second\n"
    )
    assert failures(check_method(file)) == []


def test_a_method_is_checked_without_options_and_says_so(own_home: Path) -> None:
    with pytest.raises(UserError, match=r"'tau_max=1' after snas sets options; a method is checked without: snas"):
        check_method("snas:tau_max=1")
    with pytest.raises(UserError, match=r"'two\.py' after snas\+ derives the cell; it is checked by itself: two\.py"):
        check_method("snas+two.py")
    (own_home / "a:b").mkdir()
    (own_home / "a:b" / "mine.py").write_text("from benchharness import Method\nclass Mine(Method): ...\n")
    assert failures(check_method(own_home / "a:b" / "mine.py")) == failures(check_method("~/a:b/mine.py")) == []


def test_a_slow_draw_is_told_and_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\nfrom benchharness import Method\nclass Slow(Method):\n    def draw(self, progress):\n"
        "        time.sleep(0.01)\n        return self.expected()\n"
    )
    kind = methods.load(tmp_path / "slow.py")
    finding = _finding(kind, draws_take_little_time, None)
    assert finding.state == "slow"
    assert "times as long as DARTS's" in finding.reason
    assert _finding(methods.load("snas"), draws_take_little_time, None).state == "passed"

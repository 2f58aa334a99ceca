"""The template of `benchharness new`: a user's method that already runs."""

import re
from pathlib import Path
from typing import Final

from benchharness import methods
from benchharness.errors import UserError

_TEXT: Final = '''\
"""{name}: a method of my own, in one file.

Test it with `benchharness check {file}`; compare it with `benchharness run --methods darts,{file}`.
"""

from benchharness import Method


class {kind}(Method):
    """DARTS with softmax(alpha / tau), where tau falls over the search. (This line is the method's summary.)"""

    # Lower-case numbers, strings and truth values are options: --methods {file}:tau_max=3
    tau_max = 2.0
    tau_min = 0.5

    def draw(self, progress):
        """Edge weights (edges x operations) of one forward pass, differentiable in self.alpha; progress goes 0 to 1."""
        tau = self.tau_max + (self.tau_min - self.tau_max) * progress
        return (self.alpha / tau).softmax(-1)

    # More can be given, each with a default: expected() is the mean that the cell is derived from, softmax(alpha);
    # penalty(drawn, progress) is added to alpha's loss; update = "second" or "single", or a subclass of
    # benchharness.Update; selection = "strength" or "best", or a dataclass derived from benchharness.Selection.
'''


def write_method_file(path: Path) -> None:
    """Write the template to `path`; raises `UserError` if the file exists or its name is not a possible method name."""
    if path.suffix != ".py":
        raise UserError(f"{str(path)!r} does not end in .py")
    if path.exists():
        raise UserError(f"{str(path)!r} exists already; take another name, or remove it")
    if methods.canonical(path.stem) in methods.names():
        raise UserError(f"{path.stem!r} is a built-in method; take another name")
    name_parts = [word for word in re.split(r"[\W_]+", path.stem) if word]
    kind = "".join(word.capitalize() for word in name_parts)
    path.write_text(
        _TEXT.format(name=path.stem, file=path.name, kind=kind if kind.isidentifier() else "Mine"), encoding="utf-8"
    )

"""The conformance checks of a method in a notebook."""

from html import escape
from pathlib import Path

import pandas as pd

from benchharness.methods import Method, _written
from benchharness.runs.conformance import Finding, check_method
from benchharness.search.selection import Selection


class Findings(list[Finding]):
    """What came of every check, as a notebook shows it."""

    @property
    def failed(self) -> bool:
        """Whether any check has failed."""
        return any(finding.state == "failed" for finding in self)

    def __repr__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        frame = pd.DataFrame(self, columns=Finding._fields)
        return f"<p>{escape('failed' if self.failed else 'passed')}</p>{frame.to_html(index=False, border=0)}"


def check(method: str | Path | type[Method] | type[Selection]) -> Findings:
    """The conformance checks of a method: its name, its file, or a class, also one that was written in a notebook.

    A class of selections is checked on the supernet of DARTS.

    What `benchharness check` tells of a file: whether draws are finite distributions, gradients reach every alpha, a
    search resumes bit for bit, and so on. Raises `UserError` if there is no such method.
    """
    if isinstance(method, type):
        method = _written.file_of(method) if issubclass(method, Selection) else _written.spelling(method)
    return Findings(check_method(method))

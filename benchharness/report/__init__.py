"""Reports: a results folder and a table in, evidence out, as a folder of files or as tidy frames for a notebook."""

from benchharness.report.agreement import agreement, supernet_ranking
from benchharness.report.answer import comparisons, ranking
from benchharness.report.build import build, compose
from benchharness.report.collapse import verdicts
from benchharness.report.contest import against, versions
from benchharness.report.costs import search_seconds
from benchharness.report.curves import curves
from benchharness.report.evidence import Evidence, gather
from benchharness.report.lookup import by_code, lookup
from benchharness.report.published import published
from benchharness.report.taus import overall_taus

__all__ = [
    "Evidence",
    "against",
    "agreement",
    "build",
    "by_code",
    "comparisons",
    "compose",
    "curves",
    "gather",
    "lookup",
    "overall_taus",
    "published",
    "ranking",
    "search_seconds",
    "supernet_ranking",
    "verdicts",
    "versions",
]

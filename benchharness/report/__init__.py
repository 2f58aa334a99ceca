"""Reports on a results folder and a table: a folder of files, or tidy frames for a notebook."""

from benchharness.analysis.experiment import Evidence, gather
from benchharness.analysis.lookup import by_code, lookup
from benchharness.analysis.published import published
from benchharness.analysis.rank_correlation import agreement, supernet_ranking
from benchharness.analysis.search_curves import curves
from benchharness.report.build import build, compose
from benchharness.report.sections.collapse import verdicts
from benchharness.report.sections.costs import search_seconds
from benchharness.report.sections.method_comparison import against, versions
from benchharness.report.sections.rank_correlation import overall_taus
from benchharness.report.sections.ranking import comparisons, ranking

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

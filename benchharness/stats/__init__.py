"""Statistics of arrays: intervals, tests, comparisons, correlations, ground truth of operations, collapse.

Pure functions on arrays of shape (runs,) or (runs, tasks), without tables, files or figures. Functions that draw random
numbers take a `numpy.random.Generator`.
"""

from benchharness.stats.baseline import (
    Expected,
    best_of_random,
    percentiles,
    random_percentile_p,
    relative_improvement,
)
from benchharness.stats.collapse import Verdict, entropy, first_epoch, skip_margin, verdict
from benchharness.stats.comparison import Paired, improvement_interval, improvement_probability, pair, profile
from benchharness.stats.correlation import (
    edge_taus,
    pairwise_tau,
    sparse,
    sparse_tau,
    tau,
    tau_interval,
    taus,
    top,
    top_tau,
)
from benchharness.stats.decision import (
    LEAD,
    Decision,
    above_chance,
    decision,
    drift_p,
    initial_p,
    majority_of_decisions,
    summary_of_decisions,
)
from benchharness.stats.interval import Interval, Summary, bootstrap, bootstrap_means, iqm, mean_interval, summarise
from benchharness.stats.likeness import Likeness, SeedAgreement, likeness, seed_agreement
from benchharness.stats.pareto import excess, front
from benchharness.stats.significance import effect_size, holm, permutation_p, seeds_needed, smallest_p, wilcoxon_p
from benchharness.stats.truth import Reduce, cell_scores, conditional_truth, edge_truth, parameter_counts

__all__ = [
    "LEAD",
    "Decision",
    "Expected",
    "Interval",
    "Likeness",
    "Paired",
    "Reduce",
    "SeedAgreement",
    "Summary",
    "Verdict",
    "above_chance",
    "best_of_random",
    "bootstrap",
    "bootstrap_means",
    "cell_scores",
    "conditional_truth",
    "decision",
    "drift_p",
    "edge_taus",
    "edge_truth",
    "effect_size",
    "entropy",
    "excess",
    "first_epoch",
    "front",
    "holm",
    "improvement_interval",
    "improvement_probability",
    "initial_p",
    "iqm",
    "likeness",
    "majority_of_decisions",
    "mean_interval",
    "pair",
    "pairwise_tau",
    "parameter_counts",
    "percentiles",
    "permutation_p",
    "profile",
    "random_percentile_p",
    "relative_improvement",
    "seed_agreement",
    "seeds_needed",
    "skip_margin",
    "smallest_p",
    "sparse",
    "sparse_tau",
    "summarise",
    "summary_of_decisions",
    "tau",
    "tau_interval",
    "taus",
    "top",
    "top_tau",
    "verdict",
    "wilcoxon_p",
]

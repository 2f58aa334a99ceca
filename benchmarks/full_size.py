"""Searches by our DARTS beside a published search of the full size: `python benchmarks/full_size.py RUN ... LOGS`.

RUN is the folder of a run by DARTS, finished or not, such as `run --protocol drnas --methods darts --epochs-now E`
makes. LOGS holds `asquaredm_epochs.csv` (accuracies, argmax cells) and `asquaredm_softmax_alphas.csv` (edge weights,
four digits) of one first-order search of 100 epochs with DARTS-PT's code on CIFAR-10. Prints tables in Markdown:
accuracies and argmax cells epoch by epoch; every edge's weights after the last epoch that all have, less uniform's, in
units of 0.0001; and how far each of our searches leans the same way, at its own last epoch.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchharness import space, stats
from benchharness.store.run_folder import read_arrays

SEARCH = "darts-first-order-pt_seed0_100ep+projection"
UNIFORM = 1 / len(space.OPS)
SETTINGS = ("channels", "images", "epochs", "learning_rate_min", "alpha_learning_rate")
"""The settings in which short searches differ from the full size."""
REFERENCE = 10
"""Epochs after which the published weights are taken to tell where searches lean: five edges have a decided lead."""


class Trace(NamedTuple):
    """What one search logged."""

    name: str
    epochs: pd.DataFrame
    """Train and validation accuracy in percent and the argmax cell, a row an epoch."""
    weights: Float[np.ndarray, "epochs edges ops"]
    settings: Mapping[str, Any] = {}


def main() -> None:
    """Read all of them and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("logs", type=Path)
    args = parser.parse_args()
    traces = [published(args.logs), *map(ours, args.runs)]
    epochs = min(len(trace.epochs) for trace in traces)
    print("\n".join([*by_epoch(traces, epochs), "", *by_edge(traces, epochs), "", *by_lean(*traces)]))


def published(logs: Path) -> Trace:
    """The published search."""
    epochs = pd.read_csv(logs / "asquaredm_epochs.csv").query("run == @SEARCH").sort_values("epoch")
    alphas = pd.read_csv(logs / "asquaredm_softmax_alphas.csv").query("run == @SEARCH").sort_values(["epoch", "edge"])
    frame = epochs[["train_acc", "valid_acc", "genotype_after_epoch"]].set_axis(["train", "valid", "arch"], axis=1)
    weights = alphas[list(space.OPS)].to_numpy(float).reshape(-1, len(space.EDGES), len(space.OPS))
    return Trace("published", frame.reset_index(drop=True), weights[1:])  # the first are those before any step


def ours(run: Path) -> Trace:
    """The run in the folder `run`, as far as it has come."""
    epochs = pd.DataFrame([json.loads(line) for line in (run / "trace.jsonl").read_text().splitlines()])
    frame = epochs[["train_accuracy_pct", "valid_accuracy_pct", "arch"]].set_axis(["train", "valid", "arch"], axis=1)
    spec = json.loads((run / "spec.json").read_text())
    weights = read_arrays(run).get("expected")
    if weights is None:
        state = torch.load(run / "checkpoint.pt", weights_only=True)["state"]
        weights = torch.stack(state["history"]["expected"]).numpy()
    return Trace(f"seed {spec['seed']}", frame, weights, spec["protocol"])


def by_epoch(traces: list[Trace], epochs: int) -> list[str]:
    """Accuracies, skips that lead, and argmax cells."""
    rows = [
        "| epoch | search | train (%) | validation (%) | entropy | skip leads on | argmax cell |",
        "| --- " * 7 + "|",
    ]
    for epoch in range(epochs):
        for trace in traces:
            line, weights = trace.epochs.iloc[epoch], trace.weights[epoch]
            entropy = float(stats.entropy(weights))
            cell = line["arch"].replace("|", "\\|")
            rows.append(
                f"| {epoch + 1} | {trace.name} | {line['train']:.1f} | {line['valid']:.1f} | {entropy:.4f} "
                f"| {skip_leads(weights)} | {cell} |"
            )
    return rows


def by_edge(traces: list[Trace], epochs: int) -> list[str]:
    """Edge weights after `epochs` epochs, less uniform's, in units of 0.0001."""
    rows = ["| edge | search | " + " | ".join(space.OPS) + " |", "| --- " * (2 + len(space.OPS)) + "|"]
    for edge, (target, source) in enumerate(space.EDGES):
        for trace in traces:
            shifts = 1e4 * (trace.weights[epochs - 1, edge] - UNIFORM)
            rows.append(f"| {target}<-{source} | {trace.name} | " + " | ".join(f"{s:+.0f}" for s in shifts) + " |")
    return rows


def by_lean(reference: Trace, *traces: Trace) -> list[str]:
    """How far each search leans as the published one does after `REFERENCE` epochs, and whether it decided."""
    columns = ["search", *SETTINGS, "epoch", "train (%)", "skip leads on", "mean lead", "correlation", "verdict"]
    rows = ["| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
    published = reference.weights[min(REFERENCE, len(reference.weights)) - 1].ravel()
    for trace in traces:
        weights, figures = trace.weights[-1], stats.decision(trace.weights)
        cells = [
            trace.name,
            *(f"{trace.settings[name]:g}" for name in SETTINGS),
            len(trace.weights),
            f"{trace.epochs['train'].iloc[-1]:.1f}",
            skip_leads(weights),
            f"{figures.lead.mean():.3f}",
            f"{np.corrcoef(weights.ravel(), published)[0, 1]:.2f}",
            f"{figures.verdict} (p={figures.search_p:.3f})",
        ]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return rows


def skip_leads(weights: Float[np.ndarray, "edges ops"]) -> str:
    """On how many edges the skip connection has the largest weight."""
    return f"{int((weights.argmax(-1) == space.SKIP).sum())} of {len(weights)} edges"


if __name__ == "__main__":
    main()

"""Command `score`: scores all cells or a sample by zero-cost proxies or a supernet, with tau against the table."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchharness.cli.parser import DONE, INTERRUPTED, Parser, complain, dataset_name, stoppable
from benchharness.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from benchharness.runs.scoring import ProxyScores, SupernetScores

SUFFIXES = (".csv", ".parquet")


def score(arguments: list[str]) -> int:
    """Score cells without training them, and print how the scores rank them against the table."""
    purpose = "Score cells without training them: by zero-cost proxies, or with the weights of a finished supernet."
    parser = Parser("score", f"{purpose} The same command resumes after an interruption.")
    add = parser.add_argument
    add("measures", nargs="?", metavar="PROXY,...", help="synflow, snip, grasp, fisher, jacob_cov, zen, params, flops")
    add(
        "--run", metavar="ID", help="a finished run, or its folder, whose supernet scores the cells, instead of proxies"
    )
    add("--results", default="results", metavar="FOLDER", help="results folder of that run (default results)")
    add("--dataset", type=dataset_name, default="cifar10", help="data set whose images proxies use (default cifar10)")
    add("--sample", type=int, default=0, metavar="N", help="number of cells, drawn by --seed (default: all 15,625)")
    add("--batch", type=int, default=64, help="images of a proxy's batch (default 64)")
    add("--batches", type=int, default=1, help="evaluation batches of a supernet; 0 for all (default 1)")
    add("--channels", type=int, default=16, help="channels of the networks that proxies score (default 16)")
    add("--cells", type=int, default=5, help="cells per stage of these networks (default 5)")
    add("--seed", type=int, default=0, help="seed of weights, batch and sample (default 0)")
    add("--jobs", type=int, metavar="N", help="number of processes (default: one per core, or per GPU)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default auto)")
    add("--out", required=True, metavar="FILE", help="file to write, a row per cell: ends in .csv or .parquet")
    args = parser.read(arguments)
    if bool(args.measures) == bool(args.run):
        raise UserError("score takes either proxies (such as synflow,snip) or --run ID")
    if Path(args.out).suffix not in SUFFIXES:
        raise UserError(f"{args.out!r} ends in neither {' nor '.join(SUFFIXES)}")
    stoppable()
    from benchharness.runs.scoring import sample_codes

    codes = sample_codes(args.sample, args.seed)
    try:
        scores, dataset = _of_supernet(args, codes) if args.run else (_of_proxies(args, codes), args.dataset)
    except KeyboardInterrupt:
        return complain("interrupted; all scores so far are kept, and the same command resumes", INTERRUPTED)
    from benchharness.analysis.export import write_scores

    write_scores(codes, scores, Path(args.out))
    _tell(codes, scores, dataset)
    print(f"{len(codes)} rows in {args.out}")
    return DONE


def _of_proxies(args: argparse.Namespace, codes: "np.ndarray") -> "dict[str, np.ndarray]":
    from benchharness.data import load_images
    from benchharness.models.proxies import Setting
    from benchharness.runs.scoring import ProxyScores, ScoreRequest

    devices = _devices(args)
    setting, sha256 = Setting(args.channels, args.cells, args.seed), load_images(args.dataset).sha256
    names = [name.strip() for name in args.measures.split(",")]
    every = {
        name: ProxyScores(ScoreRequest(name, args.dataset, sha256, setting, args.batch), devices[0]) for name in names
    }
    return {name: _completed(args, scores, codes, name, devices) for name, scores in every.items()}


def _of_supernet(args: argparse.Namespace, codes: "np.ndarray") -> "tuple[dict[str, np.ndarray], str]":
    from benchharness.runs.scoring import SupernetScores
    from benchharness.store.run_folder import find_run

    devices = _devices(args)
    scores = SupernetScores(find_run(Path(args.results), args.run), args.batches, devices[0])
    return {"inherited_accuracy_pct": _completed(args, scores, codes, "scored", devices)}, scores.dataset


def _devices(args: argparse.Namespace) -> list[str]:
    from benchharness.compute.devices import devices

    return devices(args.device, 1 if args.jobs is None else args.jobs)


def _completed(
    args: argparse.Namespace,
    scores: "ProxyScores | SupernetScores",
    codes: "np.ndarray",
    name: str,
    devices: list[str],
) -> "np.ndarray":
    """The score of every code; computes missing ones and shows progress."""
    from benchharness.compute.devices import slots
    from benchharness.io.progress import with_counts

    missing_count = len(scores.missing(codes))
    jobs = slots(args.device, max(1, missing_count)) if args.jobs is None else args.jobs
    counts = scores.complete(codes, jobs, devices)
    for _ in with_counts((cell for count in counts for cell in range(count)), missing_count, name):
        pass
    return scores.values(codes)


def _tell(codes: "np.ndarray", scores: "dict[str, np.ndarray]", dataset: str) -> None:
    import numpy as np

    from benchharness.analysis.scores import NULL, against
    from benchharness.cli import console
    from benchharness.cli.parser import tables_if_installed

    rows: list[Any] = []
    for agreement in against(codes, scores, dataset, tables_if_installed()):
        bounds = "" if np.isnan(agreement.tau.low) else f" [{agreement.tau.low:.3f}, {agreement.tau.high:.3f}]"
        figures = f"{agreement.tau.value:.3f}{bounds}", f"{agreement.top_tau:.3f}", f"{agreement.test:.2f}"
        rows.append((agreement.name, agreement.cells, agreement.undefined, *figures, agreement.best))
    console.scores(rows)
    title = f"Kendall's tau-b with the table's test accuracy of {dataset}"
    print(f"tau: {title} [95 % interval where cells are a sample]; {NULL} is what size alone reaches")

"""Releases in every form, and the official class that reads them."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats_bench
import numpy as np
import torch
from nas_201_api import NASBench201API

from benchharness.table.importers import official
from benchharness.table.importers.trials import FIGURES
from benchharness.table.table import Table
from tests.support import releases


def tar_form(path: Path) -> Path:
    archive_path = path / "NATS-tss-v1_0-3ffb9-simple.tar"
    with tarfile.open(archive_path, "w") as archive:
        archive.add(FORMS["folder"](path), "NATS-tss-v1_0-3ffb9-simple")
    return archive_path


FORMS: dict[str, Callable[[Path], Path]] = {
    "folder": lambda path: releases.as_folder(path / "NATS-tss-v1_0-3ffb9-simple"),
    "tar": tar_form,
    "one file": lambda path: releases.as_one_file(path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"),
    "pth of then": lambda path: releases.as_pth(path / "NAS-Bench-201-v1_1-096897.pth", zipped=False),
    "pth of now": lambda path: releases.as_pth(path / "NAS-Bench-201-v1_1-096897.pth", zipped=True),
}


def official_api(path: Path) -> Any:
    """The package made for the form, on current torch."""
    if path.suffix == ".pth":
        # As the package calls it, torch.load refuses; what it reads is plain state but for NumPy's own numbers.
        scalar = type(np.dtype("float64")), np.dtype, np._core.multiarray.scalar  # type: ignore[attr-defined]
        with torch.serialization.safe_globals([*scalar, (scalar[2], "numpy.core.multiarray.scalar")]):
            return NASBench201API(torch.load(path, weights_only=True), verbose=False)
    if path.suffix == ".tar":
        path = path.with_suffix("")
    return nats_bench.create(str(path), "tss", fast_mode=path.is_dir(), verbose=False)


def deviation(api: Any, table: Table, indices: list[int]) -> float:
    """Largest difference of any figure, run and time from what the package says."""
    worst = [0.0]
    for epochs in (12, 200):
        for (trained_on, measured_on), (dataset, split) in FIGURES.items():
            subset = "test" if measured_on == "ori-test" or measured_on == "x-test" else "valid"
            for row, index in enumerate(indices):
                info = api.get_more_info(index, trained_on, hp=str(epochs), is_random=False)
                worst.append(table.accuracy(index, dataset, split, epochs) - info[f"{subset}-accuracy"])
                if trained_on != "cifar10" and split == "valid":
                    worst.append(table.train_seconds(dataset, epochs)[row] - info["train-all-time"])
                runs = table.seeds(dataset, split, epochs)
                for column, seed in enumerate(table.about["training_seeds"][str(epochs)][: runs.shape[1]]):
                    if seed in api.query_by_index(index, trained_on, hp=str(epochs)):
                        run_info = api.get_more_info(index, trained_on, hp=str(epochs), is_random=seed)
                        worst.append(runs[row, column] - run_info[f"{subset}-accuracy"])
    return float(np.abs(worst).max())


def read_official(path: Path) -> Table:
    return official.read_as(path, "a part")

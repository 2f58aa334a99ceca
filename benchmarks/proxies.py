"""How far zero-cost proxies agree with NASLib's figures, and with themselves from other weights and images.

`python benchmarks/proxies.py naslib.parquet --cells 100`; the table has columns index, dataset and a column a proxy,
as `naslib/data/zc_nasbench201.json` of NASLib's history holds them for 725 architectures.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from benchharness import space
from benchharness.data import load_images
from benchharness.data.device_images import DeviceImages
from benchharness.models.proxies import Setting, score

THEIRS = {"synflow": "synflow", "snip": "snip", "grasp": "grasp", "fisher": "fisher", "jacob_cov": "jacov"}
BATCH = 32


def main() -> None:
    """Print a line a proxy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--proxies", default=",".join(THEIRS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = pd.read_parquet(args.table)
    sampled_cells = table[table["dataset"] == "cifar10"].reset_index(drop=True).sample(args.cells, random_state=0)
    cells = [space.from_code(int(space.order()[int(index)])) for index in sampled_cells["index"]]
    images = load_images("cifar10")
    batches = [
        next(DeviceImages(images, np.arange(first, first + 2 * BATCH), torch.device("cpu")).fixed(BATCH, 1))
        for first in (0, 1000)
    ]
    print(f"{args.cells} cells, {BATCH} images, C=16, N=5: Spearman of two draws, and of each with NASLib's")
    for measure in args.proxies.split(","):
        ours = [
            [score(measure, cell, batch, 10, Setting(seed=seed)) for cell in cells]
            for seed, batch in enumerate(batches)
        ]
        theirs = sampled_cells[THEIRS[measure]].to_numpy(float)
        pairs = ((ours[0], ours[1]), (ours[0], theirs), (ours[1], theirs))
        taus = [f"{spearmanr(*pair, nan_policy='omit').statistic:.3f}" for pair in pairs]
        print(measure, *taus, f"undefined {int(np.isnan(ours[0]).sum())}", flush=True)


if __name__ == "__main__":
    main()

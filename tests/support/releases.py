"""Small benchmark files in every released form, written with the classes of the packages that are made to read them."""

import bz2
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nas_201_api.api_utils import ArchResults, ResultsCount

from benchharness import space

ARCHS = {1835: (1,) * 6, 2941: (3, 1, 2, 0, 4, 3), 5783: (0, 2, 2, 3, 3, 1)}
"""Three architectures by the benchmark's index."""
SEEDS = {"200": (777, 888, 999), "12": (111, 777)}
LAYOUT = {"cifar10-valid": 2, "cifar10": 1, "cifar100": 3, "ImageNet16-120": 3}
"""How many sets each network is measured on."""
NAMES = {1: ("ori-test",), 2: ("x-valid", "ori-test"), 3: ("ori-test", "x-valid", "x-test")}
SHARES = {"cifar10-valid": "cifar10", "cifar10": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "imagenet16-120"}


def costs(arch: space.Arch, trained_on: str) -> tuple[Any, float]:
    """Parameters and FLOPs as releases state them, counted one operation after the other."""
    head = {"cifar100": 0.00585, "ImageNet16-120": 0.00715}.get(trained_on, 0.0)
    flops = 7.78241 + sum({2: 3.93216, 3: 35.38944}.get(op, 0.0) for op in arch)
    flops = flops / 4 if trained_on == "ImageNet16-120" else flops
    params = 0.073306 + head + sum({2: 0.028, 3: 0.24304}.get(op, 0.0) for op in arch)
    return np.float64(params), flops + 0.00064 + head


def trial(arch: space.Arch, trained_on: str, seed: int, epochs: int, draw: np.random.Generator) -> Any:
    """One training, with measurements after every epoch on the first set and after the last on the others."""
    params, flops = costs(arch, trained_on)
    config = {"channel": 16, "num_cells": 5, "arch_str": space.to_string(arch), "class_num": 10}

    def values(low: float, high: float) -> dict[int, float]:
        return dict(enumerate(draw.uniform(low, high, epochs).tolist()))

    count = ResultsCount(trained_on, None, values(10, 95), values(0, 2), params, flops, config, seed, epochs, [0.013])
    count.update_train_info(values(10, 95), None, values(0, 2), values(5, 20))
    for index, name in enumerate(NAMES[LAYOUT[trained_on]]):
        count.eval_names.append(name)
        for epoch in range(epochs) if index == 0 or epochs == 12 else (epochs - 1,):
            count.eval_acc1es[f"{name}@{epoch}"] = float(draw.uniform(10, 95))
            count.eval_losses[f"{name}@{epoch}"] = float(draw.uniform(0, 2))
            count.eval_times[f"{name}@{epoch}"] = 1.5
        for epoch in range(epochs):
            count.eval_times[f"{name}@{epoch}"] = 1.5
    return count


def states(index: int, seed: int = 0, names: tuple[str, str] = ("12", "200")) -> dict[str, Any]:
    """The plain states of all trainings of architecture `index`; the second has one training on CIFAR-100 fewer."""
    draw, arch = np.random.default_rng((seed, index)), ARCHS[index]
    trials = {}
    for name, epochs in zip(names, ("12", "200"), strict=True):
        results = ArchResults(index, space.to_string(arch))
        for trained_on in LAYOUT:
            is_lone = epochs == "12" and trained_on != "cifar10-valid"
            for run in SEEDS[epochs][: 1 if is_lone else 2 if (trained_on, index) == ("cifar100", 2941) else 3]:
                results.update(trained_on, run, trial(arch, trained_on, run, int(epochs), draw))
        trials[name] = results.state_dict()
    return trials


def release(names: tuple[str, str] = ("12", "200")) -> dict[str, Any]:
    """The content of a one-file release."""
    archs = [space.to_string(tuple(arch)) for arch in space.all_ops().tolist()]
    infos = {index: states(index, names=names) for index in ARCHS}
    return {"meta_archs": archs, "total_archs": 15_625, "arch2infos": infos, "evaluated_indexes": set(ARCHS)}


def as_pth(path: Path, zipped: bool) -> Path:
    """NAS-Bench-201's own form, as torch wrote it then (one pickle after the other) or writes it now (a zip)."""
    torch.save(release(("less", "full")), path, _use_new_zipfile_serialization=zipped)
    return path


def as_one_file(path: Path, protocol: int = 4) -> Path:
    """NATS-Bench's one-file form."""
    path.write_bytes(bz2.compress(pickle.dumps(release(), protocol)))
    return path


def as_folder(path: Path) -> Path:
    """NATS-Bench's folder form."""
    path.mkdir()
    for index in ARCHS:
        (path / f"{index:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(states(index), 4)))
    meta = {key: value for key, value in release().items() if key != "arch2infos"}
    (path / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps({**meta, "arch2infos": None}, 4)))
    return path

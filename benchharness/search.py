"""The one search loop: a supernet and a method trained side by side, an epoch at a time, resumable after each."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchharness import methods, probe, selection
from benchharness.data import Batch, Split, Stream
from benchharness.errors import UserError
from benchharness.evaluation import Evaluation, tally, with_decided
from benchharness.images import ImageSet
from benchharness.protocols import Protocol
from benchharness.records import RunRecord, RunSpec
from benchharness.seeds import generator, seeded
from benchharness.space import EDGES, OPS, SIZE, from_code, to_string
from benchharness.supernet import Supernet

Draw = Callable[[], Tensor]


class Diverged(RuntimeError):  # noqa: N818
    """A search whose loss or alphas stopped being finite numbers."""


class Search:
    """One supernet search. Every epoch is a function of the state before it and of the run's seed, so that a search
    reloaded from `state` goes on exactly as it would have.
    """

    def __init__(
        self,
        spec: RunSpec,
        images: ImageSet,
        device: torch.device,
        method_path: Path | None = None,
        split: Split | None = None,
    ) -> None:
        self.spec, self.device = spec, device
        self.settings = Protocol(**spec.protocol)
        if self.settings.numerics != "float32":
            raise UserError(f"numerics={self.settings.numerics!r} is not built yet; take float32")
        self.stream = Stream(images, self.settings, spec.seed, device, split)
        kind = methods.configured(methods.load(method_path or spec.trains), spec.train_options)
        with seeded("supernet", spec.dataset, spec.seed):
            self.net = Supernet(
                len(images.classes), self.settings.channels, self.settings.cells, self.settings.partial
            ).to(device)
        with seeded("alpha", spec.dataset, spec.seed):
            self.method = kind(len(EDGES), len(OPS)).to(device)
        self.weight_optimizer = _weight_optimizer(self.net, self.settings)
        self.alpha_optimizer = _alpha_optimizer(self.method, self.settings)
        self.epoch = 0
        self.history: dict[str, list[Tensor]] = {"alphas": [], "expected": [], "eigenvalue": []}

    @property
    def epochs(self) -> int:
        """Epochs that the whole search takes; 0 for a method that trains nothing."""
        return 0 if self.method.update == "none" else self.settings.epochs

    @property
    def finished(self) -> bool:
        """Whether every epoch has been trained."""
        return self.epoch >= self.epochs

    def run_epoch(self) -> dict[str, Any]:
        """Train one epoch and return its line of the trace; raises `Diverged` when something is not finite any more."""
        started = time.perf_counter()
        rate = _cosine(self.settings, self.epoch)
        progress = self.epoch / max(1, self.epochs - 1)
        with self._random("draws", self.epoch):
            losses = self._train(self.epoch, rate, partial(self.method.draw, progress))
        self.epoch += 1
        line: dict[str, Any] = {"epoch": self.epoch, "learning_rate": rate, **losses}
        self._check(losses)
        self._remember()
        line |= probe.state_of(self.method)
        line |= {"seconds": time.perf_counter() - started, "peak_memory_bytes": probe.peak_memory_bytes(self.device)}
        return line

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, in types that `torch.load(weights_only=True)` reads."""
        return {
            "epoch": self.epoch,
            "net": self.net.state_dict(),
            "method": self.method.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "history": {name: list(kept) for name, kept in self.history.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` returned."""
        self.net.load_state_dict(state["net"])
        self.method.load_state_dict(state["method"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.epoch = state["epoch"]
        self.history = {name: list(kept) for name, kept in state["history"].items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """Per epoch so far: `alphas` and `expected` (epochs, edges, ops), and `eigenvalue` (epochs,) where measured."""
        shape = (0, len(EDGES), len(OPS))
        kept = {name: torch.stack(all_).numpy() for name, all_ in self.history.items() if all_}
        empty = {name: np.zeros(shape, np.float32) for name in ("alphas", "expected")}
        return {**empty, **kept}

    def read_out(self, spec: RunSpec) -> tuple[RunRecord, dict[str, np.ndarray]]:
        """The cell that `spec`'s selection derives, with what was measured; may train the supernet further."""
        evaluation = Evaluation(self.net, self.stream, self._tune)
        chosen = selection.make(spec.selection, spec.selection_options)
        magnitude = self.method.expected().detach().cpu().numpy()
        with self._random("selection", spec.method):
            selected = chosen(self.method, evaluation)
        record = RunRecord(
            run_id=spec.run_id,
            arch=to_string(selected.arch),
            supernet=self.spec.run_id,
            measures=self._measures(evaluation, selected.arch),
            data=self.stream.about,
            notes={"dead_edges": list(selected.dead)},
        )
        found = {"scores": selected.scores, "order": np.array(selected.order), "magnitude": magnitude}
        return record, {**found, **(self._ranking(evaluation) if spec.run_id == self.spec.run_id else {})}

    def _train(
        self, epoch: int, rate: float, draw: Draw, update_alpha: bool = True, update_weights: bool = True
    ) -> dict[str, float]:
        """One pass over the training half; losses and accuracies of both halves, as met during training."""
        for group in self.weight_optimizer.param_groups:
            group["lr"] = rate
        sums = torch.zeros(2, 3, dtype=torch.float64, device=self.device)
        steps = [(0, self._step_weights)] * update_weights + [(1, self._step_alpha)] * update_alpha
        if self.settings.order == "alpha-first":
            steps.reverse()
        self.net.train()
        for batches in self.stream.epoch(epoch):
            for half, step in steps:
                sums[half] += step(batches[half], draw)
        loss, right, count = sums.T.tolist()  # sync: once an epoch
        names = ("train", "valid")
        means = {f"{name}_loss": loss[i] / max(1, count[i]) for i, name in enumerate(names)}
        return means | {f"{name}_accuracy_pct": 100 * right[i] / max(1, count[i]) for i, name in enumerate(names)}

    def _step_weights(self, batch: Batch, draw: Draw) -> Tensor:
        with torch.no_grad():
            weights = draw()
        logits = self.net(batch.images, weights)
        self.weight_optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits, batch.labels).backward()
        if self.settings.clip:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.settings.clip)
        self.weight_optimizer.step()
        return tally(logits, batch)

    def _step_alpha(self, batch: Batch, draw: Draw) -> Tensor:
        logits = self.net(batch.images, draw())
        loss = F.cross_entropy(logits, batch.labels) + self.method.penalty()
        alphas = list(self.method.parameters())
        for alpha, slope in zip(alphas, torch.autograd.grad(loss, alphas, allow_unused=True), strict=True):
            alpha.grad = slope
        self.alpha_optimizer.step()
        return tally(logits, batch)

    def _tune(self, decided: Mapping[int, int], epochs: int, alpha: bool) -> None:
        """Train on after the search with decided edges held discrete, at a tenth of the first learning rate."""
        for _ in range(epochs):
            with self._random("tuning", self.epoch):
                draw = lambda: with_decided(self.method.draw(1.0), decided)  # noqa: E731
                self._check(self._train(self.epoch, self.settings.learning_rate / 10, draw, update_alpha=alpha))
            self.epoch += 1

    def _random(self, purpose: str, number: int | str) -> Any:
        """Global random numbers of this run's own, for a block."""
        return seeded(purpose, self.spec.dataset, self.spec.seed, number)

    def _check(self, line: Mapping[str, float]) -> None:
        alphas = torch.cat([parameter.detach().flatten() for parameter in self.method.parameters()])
        bad = [name for name, value in line.items() if not isfinite(value)]
        bad += [] if bool(alphas.isfinite().all()) else ["alpha"]
        if bad:
            rate = self.weight_optimizer.param_groups[0]["lr"]
            raise Diverged(f"{', '.join(bad)} not finite in epoch {self.epoch}: the search diverged (rate {rate:.3g})")

    def _remember(self) -> None:
        self.history["alphas"].append(self.method.alpha.detach().cpu().clone())
        self.history["expected"].append(self.method.expected().detach().cpu().clone())
        every = self.settings.eigenvalue_every
        if every:
            due = self.epoch % every == 0 or self.finished
            value = probe.largest_eigenvalue(self.method, self.net, self.stream, self.settings.bn_eval) if due else None
            self.history["eigenvalue"].append(torch.tensor(float("nan") if value is None else value))

    def _measures(self, evaluation: Evaluation, arch: Iterable[int]) -> dict[str, float]:
        if not self.epochs:
            return {}
        mixed = evaluation.mixed(self.method.expected().detach(), bn=self.settings.bn_eval)
        derived = evaluation.one_hot(tuple(arch), bn=self.settings.bn_eval)
        pairs = {"mixed": mixed, "derived": derived}.items()
        return {f"{name}_{key}": value for name, score in pairs for key, value in score._asdict().items()}

    def _ranking(self, evaluation: Evaluation) -> dict[str, np.ndarray]:
        """Inherited-weight accuracies of architectures drawn by seed; batch statistics, since none has its own."""
        if not self.settings.ranking or not self.epochs:
            return {}
        codes = torch.randperm(SIZE, generator=generator("ranking", self.spec.seed))[: self.settings.ranking].numpy()
        batches = self.settings.ranking_batches
        scores = [evaluation.one_hot(from_code(int(code)), batches=batches, bn="batch").accuracy_pct for code in codes]
        return {"ranking_codes": codes, "ranking_accuracy_pct": np.array(scores)}


def _weight_optimizer(net: Supernet, settings: Protocol) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        net.parameters(),
        settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def _alpha_optimizer(method: methods.Method, settings: Protocol) -> torch.optim.Optimizer:
    decay = settings.alpha_weight_decay if method.alpha_weight_decay is None else method.alpha_weight_decay
    betas = (settings.alpha_beta1, settings.alpha_beta2)
    return torch.optim.Adam(method.parameters(), settings.alpha_learning_rate, betas, weight_decay=decay)


def _cosine(settings: Protocol, epoch: int) -> float:
    """The learning rate of an epoch: a cosine from the first to the smallest one, per epoch."""
    low, high = settings.learning_rate_min, settings.learning_rate
    return low + (high - low) * (1 + cos(pi * epoch / settings.epochs)) / 2

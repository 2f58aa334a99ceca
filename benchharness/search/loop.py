"""The search loop: trains a supernet and a method's alphas epoch by epoch, resumable after each epoch."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchharness import methods
from benchharness.config import SearchConfig
from benchharness.data import ImageSet
from benchharness.data.loader import Stream
from benchharness.data.splits import Split
from benchharness.errors import UserError
from benchharness.methods import _updates
from benchharness.methods._updates import Parts, StepContext
from benchharness.models import compiled as compiling
from benchharness.models import formulations, precision
from benchharness.models.supernet import Supernet, widen
from benchharness.records import RunRecord, RunSpec
from benchharness.search import cuda_graphs, diagnostics, selection
from benchharness.search.cuda_graphs import Recorder
from benchharness.search.evaluation import Evaluation
from benchharness.search.state import check_fit, check_state
from benchharness.seeding import generator, seeded
from benchharness.space import EDGES, OPS, SIZE, from_code, to_string


class Diverged(RuntimeError):  # noqa: N818
    """Raised when a search's losses or alphas are no longer finite numbers."""


class Search:
    """One supernet search.

    An epoch depends only on the state before it and on the run's seed. A search loaded from `state` therefore continues
    as the uninterrupted search would.
    """

    def __init__(
        self,
        spec: RunSpec,
        images: ImageSet,
        device: torch.device,
        method_path: Path | None = None,
        split: Split | None = None,
        compiled: bool = False,
        recorder: Recorder | None = None,
        formulation: str = "shared",
    ) -> None:
        self.spec, self.device, self.classes = spec, device, len(images.classes)
        self.settings, self.recorder = SearchConfig(**spec.protocol), recorder
        self.compiled, self.formulation = compiled, formulation
        precision.check_numerics(self.settings.numerics, device.type)
        self.stream = Stream(images, self.settings, spec.seed, device, split)
        kind = methods.configured(methods.load(method_path or spec.trains), spec.train_options)
        with seeded("alpha", spec.dataset, spec.seed):
            self.method = kind(len(EDGES), len(OPS)).to(device)
        self.method.search_epochs = self.epochs
        self.stages = self.method.partials() or (self.settings.partial,)
        self.alpha_optimizer = self.method.optimizer(self.settings)
        with seeded("supernet", spec.dataset, spec.seed):
            self._hold(self._supernet(self.stages[0]))
        self.epoch, self.stopped, self.tuned = 0, 0, False
        self.tell: Callable[[float], None] = lambda _: None
        """Called with the finished share of the derivation, 0 to 1."""
        self.history: dict[str, list[Tensor]] = {"alphas": [], "expected": [], "eigenvalue": []}

    @property
    def epochs(self) -> int:
        """Epochs that the whole search takes; 0 for a method that trains nothing."""
        return 0 if self.method.update == "none" else self.settings.epochs

    @property
    def finished(self) -> bool:
        """Whether every epoch has been trained, or the method has stopped the search."""
        return self.epoch >= self.epochs or self.stopped > 0

    @property
    def images_sha256(self) -> str:
        """SHA-256 of the images that the search uses."""
        return str(self.stream.about["sha256"])

    def run_epoch(self) -> dict[str, Any]:
        """Train one epoch and return its line of the trace; raises `Diverged` if a loss or alpha is not finite."""
        with self._arithmetic():
            return self._run_epoch()

    def _run_epoch(self) -> dict[str, Any]:
        start, before = time.perf_counter(), compiling.seconds() if self.compiled else 0.0
        processor_start = time.process_time()
        rate = _cosine(self.settings, self.epoch, self._restarted())
        progress = self.epoch / max(1, self.epochs - 1)
        self._enter_stage()
        with self._random("draws", self.epoch):
            losses = self._train(self.epoch, rate, StepContext(progress, alpha=self.method.moves_alpha(progress)))
        self.epoch += 1
        line: dict[str, Any] = {"epoch": self.epoch, "learning_rate": rate, **losses}
        self._check_finite(losses)
        self._remember()
        line |= {**diagnostics.state_of(self.method), **(self.steps.trace_fields() if self.steps else {})}
        self._stop()
        seconds = time.perf_counter() - start
        if self.compiled:
            line["compile_seconds"] = compiling.seconds() - before
            seconds -= line["compile_seconds"]
        line |= {"seconds": seconds, "processor_seconds": time.process_time() - processor_start}
        return line | {"peak_memory_bytes": diagnostics.peak_memory_bytes(self.device)}

    def state(self) -> dict[str, Any]:
        """Everything on which the next epoch depends, in types that `torch.load(weights_only=True)` can read."""
        return {
            "epoch": self.epoch,
            "stopped": self.stopped,
            "partial": self.net.partial,
            "net": self.net.state_dict(),
            "method": self.method.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "history": {name: list(values) for name, values in self.history.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Load the result of `state`; raises an error on any other content. After an error do not use the search."""
        check_state(state, self.epochs, self.method.alpha.shape)
        if state["partial"] != self.net.partial:
            self._hold(self._supernet(state["partial"]))
        self.net.load_state_dict(state["net"])
        self.method.load_state_dict(state["method"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        on_device = [group.get("capturable") for group in self.alpha_optimizer.param_groups]
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        for group, counts in zip(self.alpha_optimizer.param_groups, on_device, strict=True):
            group.update({} if counts is None else {"capturable": counts})  # the state may come from another device
        check_fit(self.weight_optimizer)
        check_fit(self.alpha_optimizer)
        self.epoch, self.stopped, self.tuned = state["epoch"], state["stopped"], False
        self.history = {name: list(values) for name, values in state["history"].items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """For all epochs so far: `alphas`, `expected` (epochs, edges, ops), and `eigenvalue` (epochs,) if measured."""
        shape = (0, len(EDGES), len(OPS))
        arrays = {name: torch.stack(all_).numpy() for name, all_ in self.history.items() if all_}
        empty = {name: np.zeros(shape, np.float32) for name in ("alphas", "expected")}
        return {**empty, **arrays}

    def read_out(self, spec: RunSpec, file: Path | None = None) -> tuple[RunRecord, dict[str, np.ndarray]]:
        """Derive a cell by the selection of `spec`; returns its record and arrays. May train the supernet further.

        `file` is the user's file whose selection it is, if the supernet is that of another method.
        """
        with self._arithmetic():
            return self._read_out(spec, file)

    def _read_out(self, spec: RunSpec, file: Path | None) -> tuple[RunRecord, dict[str, np.ndarray]]:
        evaluation = Evaluation(self.net, self.stream, self._tune, self.tell)
        rule = self._selection(spec, file)
        magnitude = self.method.expected().detach().cpu().numpy()
        with self._random("selection", spec.method):
            selected = selection.checked(rule(self.method, evaluation), type(rule).__name__)
        record = RunRecord(
            run_id=spec.run_id,
            arch=to_string(selected.arch),
            supernet=self.spec.run_id,
            measures=self._measures(evaluation, selected.arch),
            data=self.stream.about,
            notes={"dead_edges": list(selected.dead), **({"stopped_epoch": self.stopped} if self.stopped else {})},
        )
        arrays = {
            "scores": selected.scores,
            "order": np.array(selected.order),
            "magnitude": magnitude,
            **selected.arrays,
        }
        return record, {**arrays, **(self._ranking(evaluation) if spec.run_id == self.spec.run_id else {})}

    def _selection(self, spec: RunSpec, file: Path | None) -> selection.Selection:
        kind = selection.of(type(self.method), spec.selection, file)
        return selection.make_selection(kind, spec.selection_options)

    def _supernet(self, partial: int) -> Supernet:
        settings = self.settings
        if settings.channels % partial:
            raise UserError(f"partial channels {partial} do not divide channels={settings.channels}")
        size = (self.classes, settings.channels, settings.cells, partial)
        return Supernet(*size, self.method.weighs_bypass, settings.last_affine).to(self.device)

    def _hold(self, net: Supernet) -> None:
        """Make `net` the supernet to train, with a new optimiser for its weights."""
        self.net = net
        formulations.attach(net, self.formulation, self.settings.batch if self.compiled else 0)
        self.weight_optimizer = _weight_optimizer(net, self.settings)
        parts = Parts(net, self.method, self.weight_optimizer, self.alpha_optimizer, self.stream)
        self.update = _updates.make_update(self.method.update, parts) if self.epochs else None
        self.steps = cuda_graphs.steps(self.update, self.device, self.recorder) if self.update else None

    def _restarted(self) -> int:
        """The epoch at which the learning rate last restarted at its first value: 0, or the start of the stage."""
        if not self.method.restarts_rate() or self.settings.period:
            return 0
        stage = self.epoch * len(self.stages) // self.epochs
        return -(-stage * self.epochs // len(self.stages))

    def _enter_stage(self) -> None:
        """At the start of a new stage, mix more channels and let the method prune its operations."""
        partial = self.stages[self.epoch * len(self.stages) // self.epochs]
        if partial != self.net.partial:
            net, before = self.net, self.weight_optimizer
            with self._random("widening", self.epoch):
                self._hold(self._supernet(partial))
            widen(net, before, self.net, self.weight_optimizer)
            self.method.narrow()

    def _train(self, epoch: int, rate: float, context: StepContext) -> dict[str, float]:
        """One pass over the training half; returns mean loss and accuracy of both halves, measured during training."""
        assert self.update is not None
        assert self.steps is not None
        self.steps.set_rate(rate)
        self.net.train()
        with self.steps.epoch(context) as step:
            for train, valid in self.stream.epoch(epoch):
                step(train, valid)
        self.update.finish(context)
        means: dict[str, float] = {}
        for name, (loss, correct, count) in zip(("train", "valid"), self.steps.sums.tolist(), strict=True):  # sync
            if count:
                means |= {f"{name}_loss": loss / count, f"{name}_accuracy_pct": 100 * correct / count}
        return means

    def _tune(self, decided: Mapping[int, int], epochs: int, alpha: bool) -> None:
        """Continue training after the search with the decided edges discrete, at a tenth of the first learning rate.

        The weights' momentum is reset once, before the first of these epochs, as DARTS-PT's code restarts its SGD.
        """
        if not self.tuned:
            self.weight_optimizer.state.clear()
        self.tuned = True
        context = StepContext(1.0, dict(decided), alpha and self.method.moves_alpha(1.0))
        for _ in range(epochs):
            with self._random("tuning", self.epoch):
                self._check_finite(self._train(self.epoch, self.settings.learning_rate / 10, context))
            self.epoch += 1

    def _arithmetic(self) -> AbstractContextManager[None]:
        return precision.arithmetic(self.settings.numerics, self.device)

    def _random(self, purpose: str, number: int | str) -> Any:
        """A `with` block in which the global random generators are seeded for this run, `purpose` and epoch."""
        return seeded(purpose, self.spec.dataset, self.spec.seed, number)

    def _check_finite(self, line: Mapping[str, float]) -> None:
        alphas = torch.cat([parameter.detach().flatten() for parameter in self.method.parameters()])
        bad = [name for name, value in line.items() if not isfinite(value)]
        bad += [] if bool(alphas.isfinite().all()) else ["alpha"]
        if bad:
            rate = self.weight_optimizer.param_groups[0]["lr"]
            raise Diverged(f"{', '.join(bad)} not finite in epoch {self.epoch}: the search diverged (rate {rate:.3g})")

    @property
    def _eigenvalue_every(self) -> int:
        """The Hessian's largest eigenvalue is measured every so many epochs; 0 for never."""
        if not self.method.alpha.requires_grad:
            return 0
        return 1 if self.method.watches_eigenvalue else self.settings.eigenvalue_every

    def _remember(self) -> None:
        self.history["alphas"].append(self.method.alpha.detach().cpu().clone())
        self.history["expected"].append(self.method.expected().detach().cpu().clone())
        if every := self._eigenvalue_every:
            is_due = self.epoch % every == 0 or self.finished
            value = (
                diagnostics.largest_eigenvalue(self.method, self.net, self.stream, self.settings.bn_eval)
                if is_due
                else None
            )
            self.history["eigenvalue"].append(torch.tensor(float("nan") if value is None else value))

    def _stop(self) -> None:
        """Stop the search if the method says so, and restore the alphas of the epoch that the method names."""
        back = self.method.stop([float(value) for value in self.history["eigenvalue"]])
        if back is not None:
            self.stopped = back
            with torch.no_grad():
                self.method.alpha.copy_(self.history["alphas"][back - 1])

    def _measures(self, evaluation: Evaluation, arch: Iterable[int]) -> dict[str, float]:
        """Loss and accuracy of the mixed supernet and of the derived cell, both by batch statistics."""
        if not self.epochs:
            return {}
        # Running statistics are those of the mixture. With them a one-hot cell is at chance level, and the gap between
        # mixed and derived accuracy would only show that.
        mixed = evaluation.mixed(self.method.expected().detach(), bn="batch")
        derived_score = evaluation.one_hot(tuple(arch), bn="batch")
        pairs = {"mixed_batch": mixed, "derived_batch": derived_score}.items()
        return {f"{name}_{key}": value for name, score in pairs for key, value in score._asdict().items()}

    def _ranking(self, evaluation: Evaluation) -> dict[str, np.ndarray]:
        """Accuracies, with inherited weights and batch statistics, of architectures that are drawn by seed."""
        if not self.settings.ranking or not self.epochs:
            return {}
        codes = torch.randperm(SIZE, generator=generator("ranking", self.spec.seed))[: self.settings.ranking].numpy()
        cells = [from_code(int(code)) for code in codes]
        scores = evaluation.cells(cells, batches=self.settings.ranking_batches, bn="batch")
        return {"ranking_codes": codes, "ranking_accuracy_pct": np.array([score.accuracy_pct for score in scores])}


def _weight_optimizer(net: Supernet, settings: SearchConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        net.parameters(),
        settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def _cosine(settings: SearchConfig, epoch: int, start: int = 0) -> float:
    """The learning rate of an epoch: a cosine from the largest to the smallest rate.

    After a restart at epoch `start`, the cosine is scaled so that it has the largest rate at `start`.
    """
    low, high = settings.learning_rate_min, settings.learning_rate
    value, first = (1 + cos(pi * at / (settings.period or settings.epochs)) for at in (epoch, start))
    return low + (high - low) * value / first

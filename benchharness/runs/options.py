"""Options for making runs: one class for the command line, the workers and `machine.json`."""

import time
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Final, NamedTuple

from benchharness.errors import UserError, unknown
from benchharness.models import compiled, formulations

EXECUTORS: Final = ("local", "dask")
_KINDS: Final[Mapping[type, tuple[type, str]]] = {
    bool: (bool, "True or False"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "text"),
}
"""The type that a value of an option may have, and its name, by the type of the option's default."""


class RunOptions(NamedTuple):
    """Options for making runs; they are not part of the run id.

    Only `threads`, `device`, `compile`, `graphs` and `formulation` affect the bits. An interrupted run is resumed with
    the threads, compilation, graphs and formulation with which it began.
    """

    jobs: int = 1
    """Runs at a time, each in a process of its own: on this machine, or in a worker's options on its device."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`; a worker uses the first device that the name stands for."""
    threads: int = 1
    """torch's threads per run on the CPU. With one, bits depend neither on the number of cores nor on `jobs`."""
    timeout: float = 0.0
    """Seconds after which an epoch or a derivation counts as hung, and waiting for a dask worker ends; 0 for never."""
    executor: str = "local"
    scheduler: str = ""
    """Address of the dask scheduler."""
    return_results: bool = False
    """Whether dask's workers send results back, so that they do not need to share the results folder."""
    any_source: bool = False
    """Whether dask's workers may run another source of this package; each run's record names its source."""
    compile: str = "auto"
    """Whether the supernet's cells are compiled for training: `on`, `off`, or `auto` (where that pays)."""
    graphs: bool = False
    """Whether steps are recorded as CUDA graphs."""
    formulation: str = "shared"
    """How the supernet's cells are computed in training: `shared`, or on GPUs `padded` or `fused`."""
    epochs_now: int = 0
    """Every training pauses after this many epochs, and the next command resumes it; 0 for no pause."""
    until: float = 0.0
    """Time, in seconds since 1970, from which trainings pause at the end of an epoch; 0 for never."""
    choice: str = ""
    """Why `auto` chose this data set, for `machine.json`; empty if the user named one."""

    def checked(self) -> "RunOptions":
        """These options; raises `UserError` on a bad value or a bad combination."""
        if self.executor not in EXECUTORS:
            raise unknown("executor", self.executor, EXECUTORS)
        if (self.executor == "dask") != bool(self.scheduler):
            raise UserError("--executor dask and --scheduler tcp://HOST:PORT go together; only one of them is given")
        if self.return_results and self.executor != "dask":
            raise UserError("--return-results goes with --executor dask: other workers share the results folder anyway")
        if self.any_source and self.executor != "dask":
            raise UserError("--any-source goes with --executor dask: other processes have the source of this one")
        if self.compile not in compiled.CHOICES:
            raise unknown("compile", self.compile, compiled.CHOICES)
        if self.formulation not in formulations.CHOICES:
            raise unknown("formulation", self.formulation, formulations.CHOICES)
        if self.compile == "on" and self.formulation == "fused":
            raise UserError("--compile on is for torch's cells, and --formulation fused has kernels; leave one out")
        if self.return_results and (self.epochs_now or self.until):
            raise UserError(
                "--return-results does not keep checkpoints, so runs paused by --epochs-now or --for cannot resume"
            )
        for name, default in self._field_defaults.items():
            kind, noun = _KINDS[type(default)]
            value = getattr(self, name)
            if not isinstance(value, kind) or isinstance(value, bool) != isinstance(default, bool):
                raise UserError(f"{name}={value!r:.80} is not {noun}")
        for name, least in (("jobs", 1), ("threads", 1), ("timeout", 0), ("epochs_now", 0), ("until", 0)):
            value = getattr(self, name)
            if not least <= value < float("inf"):
                raise UserError(f"{name}={value} is out of range; it must be {least} or more, and finite")
        plain_values = {name: type(default)(getattr(self, name)) for name, default in self._field_defaults.items()}
        return self._replace(**plain_values)  # numbers of NumPy could not be written to `machine.json`

    @property
    def shares_device(self) -> bool:
        """Whether a worker shares its device with others; a run without memory is then tried again."""
        return self.jobs > 1

    def for_worker(self, device: str, device_count: int) -> "RunOptions":
        """The options of a worker on `device`, where runs take `device_count` devices in turn."""
        return self._replace(device=device, jobs=1 if self.executor == "dask" else -(-self.jobs // device_count))

    def as_recorded(self, machine: Mapping[str, Any]) -> "RunOptions":
        """These options with the threads, compilation, graphs and formulation recorded in `machine`.

        Graphs and fused cells only where this device has them.
        """
        formulation = machine.get("formulation", "shared")
        return self._replace(
            threads=int(machine.get("threads", self.threads)),
            compile="on" if machine.get("compiled") else "off",
            graphs=machine.get("graphs", False) and self.device.startswith("cuda"),
            formulation=formulation if formulations.usable(formulation, self.device) else "shared",
        )

    def compiles(self, protocol: Mapping[str, Any], device: str) -> bool:
        """Whether a search by `protocol` on `device` is compiled."""
        return self.formulation != "fused" and compiled.decided(self.compile, protocol, device)

    def speedups(self) -> dict[str, Any]:
        """Compilation, CUDA graphs and another formulation, if used, by name in `machine.json`; they affect bits."""
        each = {"compiled": self.compile == "on", "graphs": self.graphs}
        other = {} if self.formulation == "shared" else {"formulation": self.formulation}
        return {**{name: on for name, on in each.items() if on}, **other}

    def pauses(self, epochs: int = 0, seconds: float = 0.0) -> bool:
        """Whether to pause after `epochs` epochs, instead of beginning work of `seconds` seconds."""
        return 0 < self.epochs_now <= epochs or 0 < self.until < time.time() + seconds

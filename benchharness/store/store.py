"""The runs of one suite in a results folder."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchharness.records import RunSpec, Status
from benchharness.store.run_folder import Run, claimed, status


@dataclass(frozen=True)
class Store:
    """Where the runs of one suite lie, and who may write to them."""

    root: Path
    suite: str

    @property
    def path(self) -> Path:
        """The suite's folder."""
        return self.root / self.suite

    def folder(self, spec: RunSpec) -> Path:
        """The run's own folder, whether or not it exists."""
        return self.path / spec.dataset / spec.label / f"seed-{spec.seed:03d}-{spec.run_id}"

    def status(self, spec: RunSpec) -> Status:
        """Where the run stands, as its folder tells; raises `UserError` where another version wrote it."""
        return status(self.folder(spec))

    def claim(self, spec: RunSpec) -> AbstractContextManager[Run | None]:
        """The run as this process's own until the block is left; None where another process is working on it."""
        return claimed(spec, self.folder(spec))

"""The runs of one suite in a results folder."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchharness.io.files import check_folder
from benchharness.records import RunSpec, Status
from benchharness.store.listing import place
from benchharness.store.run_folder import Run, claimed, status


@dataclass(frozen=True)
class Store:
    """The folder of one suite's runs."""

    root: Path
    suite: str

    @property
    def path(self) -> Path:
        """The suite's folder."""
        return self.root / self.suite

    def check_place(self) -> None:
        """Raise `UserError` if a file stands where the folder has to be."""
        check_folder(self.path, "results folder")

    def folder(self, spec: RunSpec) -> Path:
        """The folder of the run, whether or not it exists."""
        return self.path.joinpath(*place(spec, spec.run_id))

    def status(self, spec: RunSpec) -> Status:
        """Status of the run; raises `UserError` if another version wrote it."""
        return status(self.folder(spec))

    def statuses(self, specs: Iterable[RunSpec]) -> dict[str, Status]:
        """What `status` gives for each run, by run id."""
        return {spec.run_id: self.status(spec) for spec in specs}

    def claim(self, spec: RunSpec) -> AbstractContextManager[Run | None]:
        """Yields the run claimed for this process until the block ends; None if another process works on it."""
        return claimed(spec, self.folder(spec))

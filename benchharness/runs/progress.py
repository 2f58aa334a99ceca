"""Progress of runs, read from their folders, so that it works with every executor."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from benchharness.errors import UserError
from benchharness.io.files import read_json, read_lines
from benchharness.io.progress import clock
from benchharness.records import RunSpec, Status
from benchharness.space import EDGES
from benchharness.store import Store
from benchharness.store.run_folder import READING
from benchharness.store.schemas import Line, Reading

if TYPE_CHECKING:
    from benchharness.runs.plan import Job

REFRESH_SECONDS: Final = 1.0
PLAIN_SHARES: Final = 5
"""Lines per search if stdout is not a terminal: one for each fifth of its epochs, and of its derivation."""


class RunProgress(NamedTuple):
    """Progress of one search."""

    method: str
    seed: int
    epoch: int
    epochs: int
    accuracy_pct: float | None
    """Validation accuracy of the supernet after the last finished epoch."""
    seconds_left: float | None
    read: float | None = None
    """The finished share of the derivation, once the supernet is trained."""

    @property
    def share(self) -> float:
        """Finished share of the training, plus that of the derivation after it: 0 to 2."""
        return self.epoch / self.epochs + (self.read or 0.0)

    def __str__(self) -> str:
        if self.epoch == self.epochs:
            share_text = f", {self.read:.0%}" if self.read else ""
            return f"{self.method} seed {self.seed}  trained, reading the cell out{share_text}"
        accuracy = "" if self.accuracy_pct is None else f"  valid {self.accuracy_pct:5.2f} %"
        time_left = "" if self.seconds_left is None else f"  {clock(self.seconds_left)} left"
        return f"{self.method} seed {self.seed}  epoch {self.epoch}/{self.epochs}{accuracy}{time_left}"


class PlanProgress(NamedTuple):
    """Progress of a plan."""

    done: float
    """Finished epochs of all supernets, plus one for each derived cell, and more for derivations that tune."""
    total: float
    running: tuple[RunProgress, ...]

    @property
    def share(self) -> float:
        """The finished share, 0 to 1."""
        return self.done / self.total if self.total else 1.0


def plan_progress(plan: "Iterable[Job]", store: Store, finished_ids: set[str]) -> PlanProgress:
    """Progress of the runs of `plan`, read from their folders.

    `finished_ids` collects the ids of finished runs from one call to the next; their folders are not read again.
    """
    epochs_done, total = 0.0, 0.0
    running = list[RunProgress]()
    for job in plan:
        epochs = int(job.base.protocol["epochs"])
        total += epochs + sum(map(_reading_epochs, job.specs))
        states = {spec.run_id: _status(store, spec, finished_ids) for spec in job.specs}
        epochs_done += sum(_reading_epochs(spec) for spec in job.specs if states[spec.run_id] == Status.DONE)
        if states[job.base.run_id] == Status.DONE:
            epochs_done += epochs
        elif (search := run_progress(job, store)) is not None:
            epochs_done += search.epoch + (search.read or 0) * _reading_epochs(job.base)
            running += [search] if states[job.base.run_id] == Status.RUNNING else []
        for spec in job.readouts:
            if states[spec.run_id] == Status.RUNNING:
                share = _reading_share(spec, store)
                running.append(RunProgress(spec.name, spec.seed, epochs, epochs, None, None, share))
                epochs_done += (share or 0) * _reading_epochs(spec)
    return PlanProgress(epochs_done, total, tuple(running))


def run_progress(job: "Job", store: Store) -> RunProgress | None:
    """Progress of the job's search, read from its trace; None if it has not begun."""
    folder = store.folder(job.base)
    if not folder.is_dir():
        return None
    lines = read_lines(folder / "trace.jsonl", Line)
    epochs = int(job.base.protocol["epochs"])
    accuracy = lines[-1].get("valid_accuracy_pct") if lines else None
    seconds_spent = sum(line.get("seconds", 0.0) for line in lines)
    seconds_left = seconds_spent / len(lines) * (epochs - len(lines)) if lines else None
    reading_share = _reading_share(job.base, store) if len(lines) == epochs else None
    return RunProgress(job.base.name, job.base.seed, len(lines), epochs, accuracy, seconds_left, reading_share)


def _reading_share(spec: RunSpec, store: Store) -> float | None:
    """The finished share of the derivation, if the worker has reported one."""
    reading = read_json(store.folder(spec) / READING, Reading)
    return reading["share"] if reading else None


def _reading_epochs(spec: RunSpec) -> int:
    """Cost of a derivation in epochs: one, plus those that it tunes between decisions on edges."""
    return 1 + (len(EDGES) - 1) * int(spec.selection_options.get("tuning", 0))


def _status(store: Store, spec: RunSpec, finished_ids: set[str]) -> Status:
    state = Status.DONE if spec.run_id in finished_ids else store.status(spec)
    if state == Status.DONE:
        finished_ids.add(spec.run_id)
    return state


@contextmanager
def show_progress(plan: "list[Job]", store: Store, console: Console | None = None) -> Iterator[None]:
    """Show progress until the block ends: a live display in a terminal, plain lines elsewhere."""
    console = console or Console(force_jupyter=False)  # lines of one output, not an output each
    over = threading.Event()
    show = _show_live if console.is_terminal else _show_lines
    thread = threading.Thread(target=show, args=(plan, store, console, over), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _surveys(plan: "list[Job]", store: Store, over: threading.Event) -> Iterator[PlanProgress]:
    """The plan's progress once a second; skipped while the folder cannot be read, which the workers report."""
    finished_ids: set[str] = set()
    while not over.wait(REFRESH_SECONDS):
        with suppress(UserError, OSError):
            yield plan_progress(plan, store, finished_ids)


class Pace:
    """Time left at the pace so far: estimated anew whenever an epoch ends, counted down in between."""

    def __init__(self) -> None:
        self.first: tuple[float, float] | None = None
        self.done, self.end = 0.0, 0.0

    def left(self, progress: PlanProgress, clock_seconds: float) -> float | None:
        """Seconds left at the time `clock_seconds`; None until the first epoch has ended."""
        if self.first is None:
            self.first, self.done = (progress.done, clock_seconds), progress.done
        before, since = self.first
        if progress.done > self.done:
            pace = (clock_seconds - since) / (progress.done - before)
            self.done, self.end = progress.done, clock_seconds + pace * (progress.total - progress.done)
        return max(0.0, self.end - clock_seconds) if self.done > before else None

    def words(self, progress: PlanProgress) -> str:
        """The time left, as text."""
        seconds = self.left(progress, time.monotonic())
        return "" if seconds is None else f"{clock(seconds)} left"


def _show_live(plan: "list[Job]", store: Store, console: Console, over: threading.Event) -> None:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("epochs and readings"), TimeElapsedColumn())
    bar = Progress(TextColumn("all"), *columns, TextColumn("{task.fields[left]}"), console=console)
    task, pace = bar.add_task("all", total=None, left=""), Pace()
    with Live(bar, console=console, transient=True) as live:
        for progress_now in _surveys(plan, store, over):
            bar.update(task, total=progress_now.total, completed=progress_now.done, left=pace.words(progress_now))
            live.update(Group(bar, _table(progress_now.running)))


def _table(running: Iterable[RunProgress]) -> Table:
    table = Table.grid(padding=(0, 2))
    for search in running:
        table.add_row(Text(str(search)))
    return table


def _show_lines(plan: "list[Job]", store: Store, console: Console, over: threading.Event) -> None:
    fifths: dict[tuple[str, int], int] = {}
    pace = Pace()
    for progress_now in _surveys(plan, store, over):
        time_left = "".join(f", {text}" for text in (pace.words(progress_now),) if text)
        for search in progress_now.running:
            fifth = int(search.share * PLAIN_SHARES)
            if fifth > fifths.get((search.method, search.seed), 0):
                fifths[search.method, search.seed] = fifth
                console.print(
                    f"{search}  (all: {progress_now.share:.0%}{time_left})",
                    highlight=False,
                    soft_wrap=True,
                    markup=False,
                )

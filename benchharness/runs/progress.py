"""What is going on while runs are made, told from their folders, so that it is the same for every executor."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from benchharness.errors import UserError
from benchharness.io.files import read_lines
from benchharness.io.progress import clock
from benchharness.records import RunSpec, Status
from benchharness.store import Store
from benchharness.store.schemas import Line

if TYPE_CHECKING:
    from benchharness.runs.plan import Job

REFRESH_SECONDS: Final = 1.0
PLAIN_SHARES: Final = 5
"""Lines per search where stdout is no terminal: one each time another fifth of its epochs is done."""


class Sight(NamedTuple):
    """A search as seen from outside."""

    method: str
    seed: int
    epoch: int
    epochs: int
    accuracy_pct: float | None
    """Of the supernet on the validation half, in the last finished epoch."""
    seconds_left: float | None

    def __str__(self) -> str:
        if self.epoch == self.epochs:
            return f"{self.method} seed {self.seed}  trained, reading the cell out"
        accuracy = "" if self.accuracy_pct is None else f"  valid {self.accuracy_pct:5.2f} %"
        left = "" if self.seconds_left is None else f"  {clock(self.seconds_left)} left"
        return f"{self.method} seed {self.seed}  epoch {self.epoch}/{self.epochs}{accuracy}{left}"


class Survey(NamedTuple):
    """How far a plan is."""

    done: int
    """Epochs done, counting every epoch of a finished supernet, and one more for each of its readings."""
    total: int
    running: tuple[Sight, ...]

    @property
    def share(self) -> float:
        """The part done, 0 to 1."""
        return self.done / self.total if self.total else 1.0


def survey(plan: "Iterable[Job]", store: Store, finished: set[str]) -> Survey:
    """How far the runs of `plan` are, as their folders tell.

    `finished` remembers the run ids already seen done from one survey to the next: those folders are not read again.
    """
    done = total = 0
    running = []
    for job in plan:
        epochs = int(job.base.protocol["epochs"])
        total += epochs + len(job.specs)
        states = {spec.run_id: _status(store, spec, finished) for spec in job.specs}
        done += sum(state == Status.DONE for state in states.values())
        if states[job.base.run_id] == Status.DONE:
            done += epochs
        elif (sight := look(job, store)) is not None:
            done += sight.epoch
            running += [sight] if states[job.base.run_id] == Status.RUNNING else []
        reading = [spec for spec in job.readouts if states[spec.run_id] == Status.RUNNING]
        running += [Sight(spec.name, spec.seed, epochs, epochs, None, None) for spec in reading]
    return Survey(done, total, tuple(running))


def look(job: "Job", store: Store) -> Sight | None:
    """The job's search as its trace tells; None where it has not begun."""
    folder = store.folder(job.base)
    if not folder.is_dir():
        return None
    lines = read_lines(folder / "trace.jsonl", Line)
    epochs = int(job.base.protocol["epochs"])
    accuracy = lines[-1].get("valid_accuracy_pct") if lines else None
    spent = sum(line.get("seconds", 0.0) for line in lines)
    left = spent / len(lines) * (epochs - len(lines)) if lines else None
    return Sight(job.base.name, job.base.seed, len(lines), epochs, accuracy, left)


def _status(store: Store, spec: RunSpec, finished: set[str]) -> Status:
    state = Status.DONE if spec.run_id in finished else store.status(spec)
    if state == Status.DONE:
        finished.add(spec.run_id)
    return state


@contextmanager
def shown(plan: "list[Job]", store: Store, console: Console | None = None) -> Iterator[None]:
    """Keep the person at the keyboard informed until the block is left: a live display, or plain lines in a file."""
    console = console or Console()
    over = threading.Event()
    show = _show_live if console.is_terminal else _show_lines
    thread = threading.Thread(target=show, args=(plan, store, console, over), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _surveys(plan: "list[Job]", store: Store, over: threading.Event) -> Iterator[Survey]:
    """A survey a second; none while the folder cannot be read, which whoever works there says in a sentence."""
    finished: set[str] = set()
    while not over.wait(REFRESH_SECONDS):
        with suppress(UserError, OSError):
            yield survey(plan, store, finished)


def _show_live(plan: "list[Job]", store: Store, console: Console, over: threading.Event) -> None:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("epochs and readings"), TimeElapsedColumn())
    bar = Progress(TextColumn("all"), *columns, TextColumn("{task.fields[left]}"), console=console)
    task, first = bar.add_task("all", total=None, left=""), None
    with Live(bar, console=console, transient=True) as live:
        for now in _surveys(plan, store, over):
            first = first or now
            bar.update(task, total=now.total, completed=now.done, left=_left(first, now, bar.tasks[0].elapsed))
            live.update(Group(bar, _table(now.running)))


def _left(first: Survey, now: Survey, elapsed: float | None) -> str:
    """Time left at the pace kept since `first`."""
    made = now.done - first.done
    return f"{clock((elapsed or 0.0) / made * (now.total - now.done))} left" if made > 0 else ""


def _table(running: Iterable[Sight]) -> Table:
    table = Table.grid(padding=(0, 2))
    for sight in running:
        table.add_row(Text(str(sight)))
    return table


def _show_lines(plan: "list[Job]", store: Store, console: Console, over: threading.Event) -> None:
    told: dict[tuple[str, int], int] = {}
    for now in _surveys(plan, store, over):
        for sight in now.running:
            fifth = sight.epoch * PLAIN_SHARES // sight.epochs
            if fifth > told.get((sight.method, sight.seed), 0):
                told[sight.method, sight.seed] = fifth
                console.print(f"{sight}  (all: {now.share:.0%})", highlight=False, soft_wrap=True, markup=False)

"""What a suite asks for: its methods one by one, those that are named twice, and the seeds that all have finished."""

from dataclasses import replace

from benchharness.records import RunSpec, Status
from benchharness.runs.runner import plan_of
from benchharness.runs.suite import Suite
from benchharness.store import Store, read


def methods_in(suite: Suite) -> list[tuple[str, RunSpec]]:
    """Every method as spelt in `suite`, with its run for the first seed.

    If a method is planned alone, its run is the last; earlier ones only train the supernet from which it derives.
    """
    return [(method, plan_of(replace(suite, methods=method))[0].specs[-1]) for method in suite.methods.split(",")]


def repeated(suite: Suite) -> list[str]:
    """A sentence for each method that `suite` names twice, in whatever spelling; it is run once."""
    first_spelling: dict[str, str] = {}
    sentences = []
    for spelling, spec in methods_in(suite):
        if spec.run_id in first_spelling:
            first = first_spelling[spec.run_id]
            sentences.append(f"{spelling.strip()} is asked for twice, also as {first}; it is run once")
        first_spelling.setdefault(spec.run_id, spelling.strip())
    return sentences


def shared_seeds(suite: Suite, store: Store) -> str:
    """The seeds that all methods of `suite` have finished; the suite's own seeds if there are none."""
    seeds = set(map(int, read(store.path)["seed"])) if store.path.is_dir() else set()
    for spelling in suite.methods.split(",") if seeds else ():
        jobs = plan_of(replace(suite, methods=spelling, seeds=",".join(map(str, sorted(seeds)))))
        seeds = {job.base.seed for job in jobs if store.status(job.specs[-1]) == Status.DONE}
        if not seeds:
            break
    return ",".join(map(str, sorted(seeds))) or suite.seeds

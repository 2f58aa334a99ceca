"""What needs a GPU, in commands of ten minutes, the best evidence first: `python benchmarks/gpu.py run`.

    pack      here, before: wheels that are missing there, the commit and the data, in pieces small enough to be carried
    plan      prints which minute is for what
    run       does the steps that the time is enough for; the same command goes on with those that are left

It works in runs/gpu, which stays as long as the machine does. Every step has a time of its own and writes its figures
as it goes; one that fails or takes too long is tried once more after all others. Whatever is there so far is archived
after each step and every half minute into the folder OUT (an environment variable, or `--out`): `evidence.tgz`, and
`checkpoint-1.tgz` and so on of runs that are not finished. All of it can be packed again, so that the next machine goes
on from there. `--device cpu --small` rehearses the whole way on a processor. The exit status is 0 once every step has
ended well, 75 where the same command has more to do, and 1 where nothing is left but what failed twice.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import carrying
from carrying import ROOT, WORK
from gpu_plan import MORE, Step, filled_words, page, steps_of

EVERY_SECONDS: Final = 30
PATIENCE: Final = 4
"""By how much steps of a rehearsal may take longer: processors that rehearse have other work."""
ATTEMPTS: Final = 2


def main() -> int:
    """Do what the command line asks for; gives the exit status."""
    args = arguments()
    patience = PATIENCE if args.small else 1
    if args.part == "pack":
        carrying.pack(args.data, args.archives)
        return 0
    steps = [step._replace(seconds=step.seconds * patience) for step in steps_of(args)]
    steps = [step for step in steps if not args.only or step.name in args.only.split(",")]
    if args.part == "plan":
        print("\n".join(page(steps, args.seconds)))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    until = time.monotonic() + args.seconds
    carrying.unpack(args.device)
    end_leftover()
    return all_of(steps, args, until)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("pack", "plan", "run"))
    parser.add_argument("--seconds", type=float, default=560, help="for one command")
    parser.add_argument("--only", default="", help="comma-separated names of steps; all of them without it")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny settings, to rehearse")
    parser.add_argument("--suite", default="suites/paper.toml")
    parser.add_argument("--jobs", type=int, default=0, help="searches at a time; 0 takes what `several` found best")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", WORK / "out")))
    parser.add_argument("--data", type=Path, help="pack: the folder of data to be carried")
    parser.add_argument("--archives", type=Path, help="pack: the folder of earlier archives, to go on from")
    return parser.parse_args()


def all_of(steps: list[Step], args: argparse.Namespace, until: float) -> int:
    """Do what is left of the steps while there is time, first those not tried yet; gives the exit status."""
    attempts_here: Counter[str] = Counter()
    while step := following(steps, args.device, attempts_here, until):
        if step.name != "device" and (missing_parts := carrying.missing()):
            print(f"more to do: the data lacks its pieces {missing_parts}; carry them, with the same command")
            return MORE
        attempts_here[step.name] += 1
        run_step(step, args, seconds_left(until))
    ends = {step.name: attempts(step, args.device) for step in steps}
    for name, end in ends.items():
        print(f"{name}: {'done' if end is None else f'left, {end.failed} of {ATTEMPTS} attempts failed'}")
    if any(end and end.failed < ATTEMPTS for end in ends.values()):
        print("more to do: the same command goes on", flush=True)
        return MORE
    return 1 if any(ends.values()) else 0


def seconds_left(until: float) -> float:
    """Seconds that a step may take."""
    return until - time.monotonic() - 5


def following(steps: list[Step], device: str, attempts_here: Mapping[str, int], until: float) -> Step | None:
    """The next step that the time is enough for: of those tried least often the first, and none often in one command.

    So a search that has more to do leaves the other steps their turn.
    """
    attempted = [(end.tried, step) for step in steps if (end := attempts(step, device)) and end.failed < ATTEMPTS]
    fits = [(times, step) for times, step in attempted if seconds_left(until) >= min(step.least, step.seconds)]
    fits = [(times, step) for times, step in fits if attempts_here.get(step.name, 0) < ATTEMPTS]
    return min(fits, key=lambda pair: pair[0])[1] if fits else None


class Attempts(NamedTuple):
    """How often a step was tried, and how often of these it failed: not where it was cut short, or has more to do."""

    tried: int
    failed: int


def attempts(step: Step, device: str) -> Attempts | None:
    """What steps.jsonl says of a step; None once it is done."""
    lines = [line for line in notes() if line["step"] == step.name and line["device"] == device]
    if any(line["exit"] in step.done for line in lines):
        return None
    cut_short = sum(line["exit"] is None and line["limit"] < step.seconds - 1 for line in lines)
    return Attempts(len(lines), len(lines) - cut_short - sum(line["exit"] == MORE for line in lines))


def notes() -> list[dict[str, Any]]:
    """The lines of steps.jsonl; one that a kill has torn does not count."""
    lines = []
    for line in (WORK / "steps.jsonl").read_text().splitlines() if (WORK / "steps.jsonl").exists() else ():
        with suppress(json.JSONDecodeError):
            lines.append(json.loads(line))
    return lines


def run_step(step: Step, args: argparse.Namespace, most: float) -> int | None:
    """How a step ended; None where it took longer than it may, or than `most` seconds."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else steps ignore it too where a shell lets a job do so
    limit, start = min(step.seconds, most), time.monotonic()
    command = filled_words(step, args.jobs, limit)
    print(f"{step.name}: begins, for {limit:.0f} s at most", flush=True)
    with (WORK / f"{step.name}.txt").open("ab") as log:
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment_of(args), stdout=log, stderr=subprocess.STDOUT, process_group=0
        )
    (WORK / "going").write_text(str(process.pid))
    try:
        code = wait_for(process, start + limit, args.out)
    finally:
        end(process.pid, process)  # also what it started and left, and where this script is to end itself
        (WORK / "going").unlink()
    note(step, args.device, limit, code, time.monotonic() - start)
    print((WORK / f"{step.name}.txt").read_text(errors="replace")[-1500:], flush=True)
    carrying.archive(args.out)
    if step.name == "device" and code != 0:
        sys.exit(f"no use without the device: {WORK / 'device.txt'} says why")
    return code


def wait_for(process: subprocess.Popen[bytes], until: float, out: Path) -> int | None:
    """The exit status of `process`, archiving meanwhile; None where its time is up."""
    archived = time.monotonic()
    while time.monotonic() < until:
        try:
            return process.wait(timeout=min(1.0, max(0.01, until - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() - archived > EVERY_SECONDS:
                carrying.archive(out)
                archived = time.monotonic()
    return None


def end(group: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """End all processes of a group: by a word first, then without."""
    for number, patience in ((signal.SIGINT, 10.0), (signal.SIGKILL, 5.0)):
        until = time.monotonic() + patience
        with suppress(ProcessLookupError):
            os.killpg(group, number)
            while time.monotonic() < until:
                if process:
                    process.poll()  # or it would stay in its group, as one that nobody has asked how it ended
                os.killpg(group, 0)
                time.sleep(0.05)


def end_leftover() -> None:
    """End the step that an earlier command of this script left going when it was killed."""
    note_path = WORK / "going"
    group = int(note_path.read_text()) if note_path.exists() and note_path.read_text().isdigit() else 0
    if group and str(ROOT).encode() == Path(os.path.realpath(f"/proc/{group}/cwd")).as_posix().encode():
        print(f"ending process {group}, which an earlier command left")
        end(group)
    note_path.unlink(missing_ok=True)


def note(step: Step, device: str, limit: float, code: int | None, seconds: float) -> None:
    """Add a line on a step to steps.jsonl, and print it."""
    times = {"seconds": round(seconds, 1), "limit": round(limit, 1)}
    line = {"step": step.name, "device": device, **times, "exit": code, "words": step.words}
    with (WORK / "steps.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{step.name}: exit {code} after {seconds:.1f} of {limit:.0f} s", flush=True)


def environment_of(args: argparse.Namespace) -> dict[str, str]:
    """The environment of every step: wheels and data that were carried, and the commit that this is of."""
    paths = [str(WORK / "site"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    variables = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1", "DEVICE": args.device}
    if args.device == "cpu":
        variables |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait would take their time
    if (WORK / "data").is_dir():
        variables["BENCHHARNESS_DATA"] = str(WORK / "data")
    if (WORK / "commit").is_file():
        variables["BENCHHARNESS_COMMIT"] = (WORK / "commit").read_text().strip()
    return {**os.environ, **variables}


if __name__ == "__main__":
    sys.exit(main())

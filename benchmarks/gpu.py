"""What needs a GPU, in commands of ten minutes, the best evidence first: `python benchmarks/gpu.py PART`.

    pack      here, before: wheels that are missing there, the commit and the data, in pieces small enough to be carried
    check     tests marked gpu, then the timings of a step: is it right, and how fast
    search    `benchharness run` of a suite for as long as the time lasts; the same again goes on
    rest      timings of whole epochs, several searches at a time and selections, and compiled steps last

It works in runs/gpu, which stays as long as the machine does. Every step has a time of its own, and whatever is there
so far is archived after each and every half minute into the folder OUT (an environment variable, or `--out`):
`evidence.tgz`, and `checkpoint.tgz` with the newest checkpoint of a run that is not finished. Both can be packed again,
so that the next machine goes on from there. `--device cpu --small` rehearses all of it on a processor.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path.cwd()
WORK: Final = ROOT / "runs" / "gpu"
CARRIED: Final = ROOT / "runs" / "carry"
PIECE_BYTES: Final = 56 << 20
WHEELS: Final = ("platformdirs", "msgspec")
EVERY_SECONDS: Final = 30
ARCHIVES: Final = ("evidence.tgz", "checkpoint.tgz")


class Step(NamedTuple):
    """One command, and how long it may take."""

    name: str
    words: tuple[str, ...]
    seconds: float


def main() -> int:
    """Do the steps of a part that the time is enough for; 0 where all of them ended well."""
    args = parsed()
    if args.part == "pack":
        pack(args)
        return 0
    until = time.monotonic() + args.seconds
    unpack(args.device)
    ends = [done(step, args, until) for step in steps_of(args)]
    return 0 if all(end == 0 for end in ends) else 1


def parsed() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("pack", "check", "search", "rest"))
    parser.add_argument("--seconds", type=float, default=560, help="for all of it; the rest is left out")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny settings, to rehearse")
    parser.add_argument("--suite", default="suites/paper.toml")
    parser.add_argument("--jobs", type=int, default=3, help="searches at a time")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", WORK / "out")))
    parser.add_argument("--data", type=Path, help="pack: the folder of data to be carried")
    parser.add_argument("--archives", type=Path, help="pack: the folder of an earlier evidence.tgz, to go on from")
    return parser.parse_args()


def steps_of(args: argparse.Namespace) -> Iterator[Step]:
    """The steps of a part, the most telling first."""
    python, device = (sys.executable,), ("--device", args.device)
    size = ("--channels", "4", "--cells", "1", "--repeats", "1") if args.small else ("--repeats", "7")
    graphs = () if args.device == "cpu" else ("--graphs",)
    protocol = "small" if args.small else "drnas"
    settings = ("images=64", "channels=2", "batch=16", "eval_batch=16", "ranking=2") if args.small else ()
    searches = (*device, "--protocol", protocol, *(("--set", *settings, "--dataset", "digits") if args.small else ()))
    speed = lambda name, *words: (*python, f"benchmarks/{name}.py", *words)  # noqa: E731
    out = lambda name: ("--out", str(WORK / f"{name}.json"))  # noqa: E731
    if args.part == "check":
        yield Step("device", (*python, "-c", SEEN.format(device=args.device)), 60)
        tests = ("tests/search/test_on_gpu.py", *(("-k", "logits or eigenvalue") if args.small else ("tests/search",)))
        yield Step("tests", (*python, "-m", "pytest", "-q", "-m", "gpu", "-W", "default", *tests), 240)
        yield Step("step", speed("step", *device, *size, *graphs, *out("step")), 90)
        for numerics in ("bf16",) if args.device == "cpu" else ("bf16", "tf32"):
            yield Step(
                f"step-{numerics}",
                speed("step", *device, *size, *graphs, "--numerics", numerics, *out(f"step-{numerics}")),
                90,
            )
    elif args.part == "search":
        small = ("--seeds", "0", "--methods", "darts,ostr", "--dataset", "digits", "--protocol", "small")
        settings = ("--set", *settings, "epochs=2", "cells=1", "ranking_batches=1") if args.small else ()
        words = ("run", "--suite", args.suite, *device, *graphs, "--jobs", str(args.jobs), "--for", "{left}s")
        places = ("--out", str(WORK / "results"), "--reports", str(WORK / "reports"))
        yield Step(
            "search",
            (*python, "-m", "benchharness", *words, *places, *(small if args.small else ()), *settings),
            args.seconds,
        )
    else:
        one = ("--repeats", "1")
        yield Step("epoch", speed("epoch", *searches, *graphs, "--methods", "darts,drnas", *one, *out("epoch")), 120)
        several = ("--at-a-time", "1,2,4", "--epochs", "1", *one)
        yield Step("several", speed("several", *searches, *graphs, *several, *out("several")), 180)
        strength = ("--parts", "strength", *one)
        yield Step("strength", speed("probes", *searches, *strength, *out("strength")), 120)
        compiled = ("--compile", "--numerics", "bf16")
        yield Step("step-compiled", speed("step", *device, *size, *graphs, *compiled, *out("step-compiled")), 300)


SEEN: Final = """
import torch
device = torch.device("{device}")
assert device.type == "cpu" or torch.cuda.is_available(), "torch finds no CUDA device"
print(torch.__version__, torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu")
assert float((torch.ones(8, device=device) * 2).sum()) == 16
"""
"""The first step: without a device all others would tell nothing."""


def done(step: Step, args: argparse.Namespace, until: float) -> int | None:
    """How a step ended; None where there is no time left for it, or it took longer than it may."""
    left = min(step.seconds, until - time.monotonic() - 5)
    if left < min(20, step.seconds):
        note(step, left, None, 0.0)
        return None
    started = time.monotonic()
    words = [word.format(left=int(max(5, left - 40))) if "{left}" in word else word for word in step.words]
    with (WORK / f"{step.name}.txt").open("ab") as log:
        process = subprocess.Popen(
            words, cwd=ROOT, env=around(args), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        code = waited(process, started + left, args.out)
    note(step, left, code, time.monotonic() - started)
    print((WORK / f"{step.name}.txt").read_text(errors="replace")[-1500:], flush=True)
    archive(args.out)
    if step.name == "device" and code != 0:
        sys.exit(f"no use without the device: {WORK / 'device.txt'} says why")
    return code


def waited(process: subprocess.Popen[bytes], until: float, out: Path) -> int | None:
    """The exit status of `process`, archiving meanwhile; None where it had to be ended."""
    archived = time.monotonic()
    while time.monotonic() < until:
        try:
            return process.wait(timeout=min(1.0, max(0.01, until - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() - archived > EVERY_SECONDS:
                archive(out)
                archived = time.monotonic()
    for number, patience in ((signal.SIGINT, 10.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=patience)
            break
        except (subprocess.TimeoutExpired, ProcessLookupError):
            continue
    return None


def note(step: Step, limit: float, code: int | None, seconds: float) -> None:
    """Add a line on a step to steps.jsonl, and print it."""
    times = {"seconds": round(seconds, 1), "limit": round(limit, 1)}
    line = {"step": step.name, **times, "exit": code, "words": step.words}
    with (WORK / "steps.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{step.name}: exit {code} after {seconds:.1f} of {limit:.0f} s", flush=True)


def around(args: argparse.Namespace) -> dict[str, str]:
    """The environment of every step: wheels and data that were carried, and the commit that this is of."""
    paths = [str(WORK / "site"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    given = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1", "DEVICE": args.device}
    if (WORK / "data").is_dir():
        given["BENCHHARNESS_DATA"] = str(WORK / "data")
    if (WORK / "commit").is_file():
        given["BENCHHARNESS_COMMIT"] = (WORK / "commit").read_text().strip()
    return {**os.environ, **given}


def unpack(device: str) -> None:
    """What was carried, into runs/gpu, unless it is there already."""
    WORK.mkdir(parents=True, exist_ok=True)
    carried = sorted(CARRIED.rglob("*")) if CARRIED.is_dir() else []
    for path in carried:
        if path.is_file() and path.name.startswith(("data.tar.", "commit")):
            shutil.copy(path, WORK / path.name)
        elif path.name in ARCHIVES and not (WORK / f".{path.name}").exists():
            with tarfile.open(path) as tar:
                tar.extractall(WORK, filter="data")
            (WORK / f".{path.name}").touch()
    wheels = [str(path) for path in carried if path.suffix == ".whl"]
    if wheels and device != "cpu":
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--upgrade", "--target"]
        subprocess.run([*pip, str(WORK / "site"), *wheels], check=True)
    assemble()


def assemble() -> None:
    """The data out of its pieces, as soon as all of them have come."""
    pieces = sorted(WORK.glob("data.tar.*"))
    if not pieces or len(pieces) < int(pieces[0].name.split(".")[-1]):
        return
    whole = WORK / "data.tar"
    with whole.open("wb") as file:
        for piece in pieces:
            file.write(piece.read_bytes())
            piece.unlink()
    with tarfile.open(whole) as tar:
        tar.extractall(WORK / "data", filter="data")
    whole.unlink()


def pack(args: argparse.Namespace) -> None:
    """Fill runs/carry: a folder for every command that data is carried with, the first with all the rest."""
    shutil.rmtree(CARRIED, ignore_errors=True)
    first = CARRIED / "1"
    first.mkdir(parents=True)
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    (first / "commit").write_text(commit.stdout)
    for name in ARCHIVES if args.archives else ():
        if (args.archives / name).exists():
            shutil.copy(args.archives / name, first / name)
    platforms = [word for number in (28, 27, 17) for word in ("--platform", f"manylinux_2_{number}_x86_64")]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    platforms += ["--platform", "manylinux2014_x86_64", "--python-version", "3.12"]
    subprocess.run([*pip, *platforms, "-d", str(first), *WHEELS], check=True)
    if args.data:
        split(args.data)
    for folder in sorted(CARRIED.iterdir()):
        size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
        print(f"{folder.relative_to(ROOT)}: {size:.1f} MiB, to be carried with one command")


def split(data: Path) -> None:
    """The folder `data` in numbered pieces; each says in its name how many there are."""
    whole = CARRIED / "whole.tar"
    with tarfile.open(whole, "w", dereference=True) as tar:
        tar.add(data, arcname=".")
    content = whole.read_bytes()
    whole.unlink()
    room = PIECE_BYTES - sum(path.stat().st_size for path in (CARRIED / "1").iterdir())
    cuts = [0, *range(room, len(content), PIECE_BYTES), len(content)]
    for number, (start, stop) in enumerate(pairwise(cuts), 1):
        folder = CARRIED / str(number)
        folder.mkdir(exist_ok=True)
        (folder / f"data.tar.{number:02}.{len(cuts) - 1:02}").write_bytes(content[start:stop])


def archive(out: Path) -> None:
    """Put what there is so far into `out`: all but checkpoints, and the newest checkpoint of an unfinished run."""
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = list((WORK / "results").rglob("checkpoint.pt")) if (WORK / "results").is_dir() else []
    left = [path for path in checkpoints if not (path.parent / "record.json").exists()]
    newest = sorted(left, key=lambda path: path.stat().st_mtime)[-1:]
    small = [path for path in WORK.iterdir() if path.suffix in (".json", ".jsonl", ".txt") or path.name == "commit"]
    folders = [WORK / name for name in ("results", "reports") if (WORK / name).is_dir()]
    tarred(out / "evidence.tgz", [*small, *folders])
    if newest:
        tarred(out / "checkpoint.tgz", newest, whole=True)


def tarred(archive: Path, paths: Sequence[Path], whole: bool = False) -> None:
    """An archive of `paths`, named as under runs/gpu; without checkpoints and locks unless `whole`."""

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = Path(entry.name).name
        passing = name.startswith("checkpoint") or name.endswith((".tmp", ".lock"))
        return entry if whole or not passing else None

    part = archive.with_suffix(".part")
    with tarfile.open(part, "w:gz") as tar:
        for path in paths:
            try:
                tar.add(path, arcname=str(path.relative_to(WORK)), filter=wanted)
            except FileNotFoundError:  # a search goes on meanwhile, and replaces what it writes
                continue
    part.replace(archive)


if __name__ == "__main__":
    sys.exit(main())

"""What travels to a machine with a GPU and back: wheels, commit and data there, in pieces; figures and results back."""

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path.cwd()
WORK: Final = ROOT / "runs" / "gpu"
CARRIED: Final = ROOT / "runs" / "carry"
TRAVELS_BYTES: Final = 62 << 20
"""What one command may take along: 64 MiB, less what names and folders take."""
WHEELS: Final = ("platformdirs", "msgspec")
CHECKPOINTS: Final = 3
"""How many unfinished runs' checkpoints come back, the newest first: as many searches as go on at a time."""


def pack(data: Path | None, archives: Path | None) -> None:
    """Fill runs/carry: a folder for every command that data is carried with, the first with all the rest.

    Raises `SystemExit` where that first folder is too large for one command.
    """
    shutil.rmtree(CARRIED, ignore_errors=True)
    first = CARRIED / "1"
    first.mkdir(parents=True)
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    (first / "commit").write_text(commit.stdout)
    for archive in sorted(archives.glob("*.tgz")) if archives else ():
        shutil.copy(archive, first / archive.name)
    platforms = [word for number in (28, 27, 17) for word in ("--platform", f"manylinux_2_{number}_x86_64")]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    platforms += ["--platform", "manylinux2014_x86_64", "--python-version", "3.12"]
    subprocess.run([*pip, *platforms, "-d", str(first), *WHEELS], check=True)
    room = TRAVELS_BYTES - tree_bytes()
    if data:
        split_data(data, room)
    for folder in sorted(CARRIED.iterdir()):
        size = size_of(folder)
        print(f"{folder.relative_to(ROOT)}: {size / 2**20:.1f} MiB, to be carried with one command")
        if size > room:
            sys.exit(f"{folder} has {size} bytes, and beside the repository's own files only {room} may travel")


def tree_bytes() -> int:
    """Of the files that travel with every command: those that git knows, and new ones that it does not ignore."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    return sum((ROOT / name).stat().st_size for name in names if name and (ROOT / name).is_file())


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def split_data(data: Path, room: int) -> None:
    """The folder `data` in numbered pieces, no folder of which has more than `room` bytes.

    Each piece says in its name how many there are.
    """
    archive = CARRIED / "whole.tar"
    with tarfile.open(archive, "w", dereference=True) as tar:
        tar.add(data, arcname=".")
    content = archive.read_bytes()
    archive.unlink()
    cuts = [0, *range(max(1, room - size_of(CARRIED / "1")), len(content), room), len(content)]
    for number, (start, stop) in enumerate(pairwise(cuts), 1):
        folder = CARRIED / str(number)
        folder.mkdir(exist_ok=True)
        (folder / f"data.tar.{number:02}.{len(cuts) - 1:02}").write_bytes(content[start:stop])


def unpack(device: str) -> None:
    """What was carried, into runs/gpu, unless it is there already."""
    WORK.mkdir(parents=True, exist_ok=True)
    carried = sorted(path for path in CARRIED.rglob("*") if path.is_file()) if CARRIED.is_dir() else []
    for path in carried:
        if path.name.startswith(("data.tar.", "commit")):
            if not (WORK / "data").is_dir() or path.name == "commit":
                shutil.copy(path, WORK / path.name)
        elif path.suffix == ".tgz" and not (WORK / f".{path.name}").exists():
            with tarfile.open(path) as tar:
                tar.extractall(WORK, filter="data")
            (WORK / f".{path.name}").touch()
    wheels = [str(path) for path in carried if path.suffix == ".whl"]
    if wheels and device != "cpu":
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--upgrade", "--target"]
        subprocess.run([*pip, str(WORK / "site"), *wheels], check=True)
    assemble()


def missing() -> str:
    """Which pieces of the data have not come yet, where some have; else empty."""
    parts = sorted(WORK.glob("data.tar.*"))
    if not parts:
        return ""
    numbers, total = {int(piece.name.split(".")[-2]) for piece in parts}, int(parts[0].name.split(".")[-1])
    return ", ".join(str(number) for number in range(1, total + 1) if number not in numbers)


def assemble() -> None:
    """The data out of its pieces, as soon as all of them have come."""
    parts = sorted(WORK.glob("data.tar.*"))
    if not parts or missing():
        return
    archive, data = WORK / "data.whole", WORK / "data.part"
    with archive.open("wb") as file:
        for part in parts:
            file.write(part.read_bytes())
    shutil.rmtree(data, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(data, filter="data")
    data.rename(WORK / "data")
    for path in (archive, *parts):  # only now, so that a command that is ended before goes on from here
        path.unlink()


def archive(out: Path) -> None:
    """Put what there is so far into `out`: all but checkpoints, and the newest checkpoints of unfinished runs."""
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = list((WORK / "results").rglob("checkpoint.pt")) if (WORK / "results").is_dir() else []
    unfinished_checkpoints = [path for path in checkpoints if not (path.parent / "record.json").exists()]
    small = [path for path in WORK.iterdir() if path.suffix in (".json", ".jsonl", ".txt") or path.name == "commit"]
    folders = [WORK / name for name in ("results", "reports") if (WORK / name).is_dir()]
    tarred(out / "evidence.tgz", [*small, *folders])
    newest = sorted(unfinished_checkpoints, key=modified_time, reverse=True)[:CHECKPOINTS]
    for number in range(1, CHECKPOINTS + 1):
        archive_path = out / f"checkpoint-{number}.tgz"
        if number <= len(newest):
            tarred(archive_path, [newest[number - 1]], with_all=True)
        else:
            archive_path.unlink(missing_ok=True)


def modified_time(path: Path) -> float:
    """When a file was last written to; 0 where it is gone meanwhile, as a run's checkpoint that is replaced."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def tarred(archive: Path, paths: Sequence[Path], with_all: bool = False) -> None:
    """An archive of `paths`, named as under runs/gpu; without checkpoints and locks unless `with_all`."""

    def entry_to_pack(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = Path(entry.name).name
        passing = name.startswith("checkpoint") or name.endswith((".tmp", ".lock"))
        return entry if with_all or not passing else None

    temporary = archive.with_suffix(".part")
    with tarfile.open(temporary, "w:gz") as tar:
        for path in paths:
            try:
                tar.add(path, arcname=str(path.relative_to(WORK)), filter=entry_to_pack)
            except FileNotFoundError:  # a search goes on meanwhile, and replaces what it writes
                continue
    temporary.replace(archive)

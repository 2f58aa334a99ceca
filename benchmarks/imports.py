"""What importing a benchmark's table costs in each form: `python benchmarks/imports.py --archs 1000`.

From the repository's root; needs the real table for CSV, JSON and Parquet, and the extra `test`. Official releases are
made up, with the classes of the package that is made to read them; each import is a process of its own. Deviations are
those of a release of three architectures from what its own package says of it.
"""

import argparse
import bz2
import json
import os
import pickle
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchharness import space
from benchharness.compute.environment import describe
from benchmarks.scale import measure
from tests.support import releases
from tests.support.official import FORMS, deviation, official_api, read_official

COLUMNS = ("csv", "json", "parquet")
FOLDER = "NATS-tss-v1_0-3ffb9-simple"


def main() -> None:
    """Make each release, import it, and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archs", type=int, default=1000, help="architectures in the official releases")
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        deviations = {form: deviation_of(form, Path(scratch)) for form in FORMS}
        figures = of_columns(Path(scratch)) | of_releases(Path(scratch), args.archs)
    for form, worst in deviations.items():
        print(f"{form}: deviates by {worst:.2g} points at most")
    if args.out:
        report = {"archs": args.archs, "imports": figures, "deviations": deviations, "environment": describe()}
        args.out.write_text(json.dumps(report, indent=1) + "\n")


def deviation_of(form: str, scratch: Path) -> float:
    """The largest difference of any figure of a small release from what its package says, in points."""
    path = scratch / f"small {form}"
    path.mkdir()
    release = FORMS[form](path)
    return deviation(official_api(release), read_official(release), list(releases.ARCHS))


def of_columns(scratch: Path) -> dict[str, dict[str, float]]:
    """The whole real table, exported and imported again."""
    figures = {}
    for ending in COLUMNS:
        file = scratch / f"whole.{ending}"
        measure(f"export to {ending}", ["-m", "benchharness", "table", "export", "--out", str(file)])
        figures[ending] = measure_import(file, scratch, ending)
    return figures


def of_releases(scratch: Path, archs: int) -> dict[str, dict[str, float]]:
    """Releases of so many architectures: the folder form first, of whose states the others are made."""
    releases.ARCHS.clear()
    releases.ARCHS.update({index: space.from_code(index) for index in range(archs)})
    figures = {"folder": measure_import(releases.as_folder(scratch / FOLDER), scratch, "folder")}
    infos = {
        index: pickle.loads(bz2.decompress((scratch / FOLDER / f"{index:06d}.pickle.pbz2").read_bytes()))
        for index in releases.ARCHS
    }
    release = {"meta_archs": [space.to_string(arch) for arch in releases.ARCHS.values()], "total_archs": archs}
    release |= {"arch2infos": infos, "evaluated_indexes": set(infos)}
    file = scratch / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    file.write_bytes(bz2.compress(pickle.dumps(release, 4)))
    figures["one file"] = measure_import(file, scratch, "one file")
    file.unlink()
    release["arch2infos"] = {index: {"less": info["12"], "full": info["200"]} for index, info in infos.items()}
    del infos
    for form, zipped in (("pth of then", False), ("pth of now", True)):
        file = scratch / "NAS-Bench-201-v1_1-096897.pth"
        torch.save(release, file, _use_new_zipfile_serialization=zipped)
        figures[form] = measure_import(file, scratch, form)
    return figures


def measure_import(path: Path, scratch: Path, form: str) -> dict[str, float]:
    """What the command takes that installs the table at `path` into a data folder of its own."""
    command = ["-m", "benchharness", "table", "import", str(path), "--name", f"made-up-{form.replace(' ', '-')}"]
    with patch.dict(os.environ, {"BENCHHARNESS_DATA": str(scratch / "data")}):
        figures = measure(form, command)
    if figures["exit_code"]:
        raise RuntimeError(f"the import of {form} ended with {figures['exit_code']}")
    return figures


if __name__ == "__main__":
    main()

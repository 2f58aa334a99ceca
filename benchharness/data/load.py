"""Loads an image set by name: `digits`, which is part of the package, or an installed one."""

from benchharness.data.image_set import ImageSet
from benchharness.data.importers import IMAGES, SPLITS
from benchharness.data.kinds import DIGITS, KNOWN, canonical
from benchharness.data.splits import Split, check_benchmark_split, load_split
from benchharness.errors import UserError, unknown
from benchharness.io import catalog


def names() -> tuple[str, ...]:
    """The names of all data sets: the benchmark's three, `digits`, and all installed ones."""
    return tuple(dict.fromkeys((*KNOWN, DIGITS, *catalog.names(IMAGES))))


def canonical_name(name: str) -> str:
    """Our spelling of the data set `name`; raises `UserError`, which says how to import one, if it does not exist."""
    if (canonical_spelling := canonical(name)) not in (available := names()):
        raise UserError(f"{unknown('data set', name, available)}; `benchharness data import PATH` brings in others")
    return canonical_spelling


def version(name: str) -> int:
    """Version, from 1, of the augmentation of the images called `name`; it is part of run ids."""
    return KNOWN[name].version if name in KNOWN else 1


def load_images(name: str) -> ImageSet:
    """The image set `name` (`cifar10`, `digits`, or another one of `names`), in memory.

    Raises `UserError` if the name is unknown, if the images are not installed (with the command that imports them), or
    if they do not have their stated checksum.
    """
    if (name := canonical_name(name)) == DIGITS:
        from benchharness.data.digits import digits

        return digits()
    return ImageSet.open(catalog.find_installed(IMAGES, name)).checked()  # 0.1 s for CIFAR-10


def benchmark_split(name: str) -> Split | None:
    """The benchmark's split of the images `name`, if its file is installed or lies in the data folder; else None.

    Raises `UserError` if the file is damaged or is another split.
    """
    installed = catalog.data_folder() / "splits" / f"{name}.json"
    if not installed.is_file() and name not in {item.name for item in catalog.installed((SPLITS,))}:
        return None
    split = load_split(catalog.find_installed(SPLITS, name))
    return check_benchmark_split(split) if name == "cifar10" else split

"""Loads an image set by its name: one that comes with the package, or an installed one."""

from benchharness.data.image_set import ImageSet
from benchharness.data.importers import IMAGES, SPLITS
from benchharness.data.kinds import DIGITS, KNOWN, canonical
from benchharness.data.splits import Split, check_benchmark_split, load_split
from benchharness.errors import UserError, unknown
from benchharness.io import catalog


def names() -> tuple[str, ...]:
    """The data sets that may be asked for: the benchmark's three, the one in the package, and what is installed."""
    return tuple(dict.fromkeys((*KNOWN, DIGITS, *catalog.names(IMAGES))))


def known(name: str) -> str:
    """The data set's one name; raises `UserError` if there is no such data set, and says how to import it."""
    if (spelt := canonical(name)) not in (available := names()):
        raise UserError(f"{unknown('data set', name, available)}; `benchharness data import PATH` brings in others")
    return spelt


def version(name: str) -> int:
    """Version of how training augments the images called `name`, from 1; it is part of run ids."""
    return KNOWN[name].version if name in KNOWN else 1


def load_images(name: str) -> ImageSet:
    """The images called `name` (`cifar10`, `digits`, or any other of `names`), all in memory.

    Raises `UserError` for another name, where the images are missing (it says which command brings them), and where
    they do not have the checksum that results got on them are going to state.
    """
    if (name := known(name)) == DIGITS:
        from benchharness.data.digits import digits

        return digits()
    return ImageSet.open(catalog.find(IMAGES, name)).checked()  # 0.1 s for CIFAR-10


def benchmark_split(name: str) -> Split | None:
    """The benchmark's own split of the images called `name`, installed or merely standing in the data folder.

    None where the folder has none; raises `UserError` where its file is damaged or is another split.
    """
    installed = catalog.data_folder() / "splits" / f"{name}.json"
    if not installed.is_file() and name not in {item.name for item in catalog.installed((SPLITS,))}:
        return None
    split = load_split(catalog.find(SPLITS, name))
    return check_benchmark_split(split) if name == "cifar10" else split

"""Image data sets as arrays, read from the formats they are released in; and split files (training, validation)."""

from benchharness.data.image_set import ImageSet
from benchharness.data.load import benchmark_split, canonical_name, load_images, names, version
from benchharness.data.splits import Split, check_benchmark_split, load_split

__all__ = [
    "ImageSet",
    "Split",
    "benchmark_split",
    "canonical_name",
    "check_benchmark_split",
    "load_images",
    "load_split",
    "names",
    "version",
]

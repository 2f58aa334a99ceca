"""Image data sets as arrays, however they were released, and the split files that say which images validate."""

from benchharness.images.load import load_images
from benchharness.images.sets import NAMES, ImageSet
from benchharness.images.split import Split, check_benchmark_split, load_split

__all__ = ["NAMES", "ImageSet", "Split", "check_benchmark_split", "load_images", "load_split"]

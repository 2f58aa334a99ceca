"""Decodes one image file of any supported kind into square pixels in three channels."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import UInt8

from benchharness.errors import UserError
from benchharness.io.files import open_file

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF")
_PIXELS_LIMIT: Final = 1 << 26
"""Height times width above which a file is not decoded, since few bytes may unpack to gigabytes."""
_BYTES_LIMIT: Final = 1 << 27
_DARK: Final = 64
"""Of 255: where the upper 8 of 16 bits stay below it in every image, the pixels have 14 bits or fewer."""
_DAMAGE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    MemoryError,
    OverflowError,
)


def depth(files: Iterable[Path]) -> int:
    """Bits that the grey pixels of `files` take, by the brightest of all: 8, 10, 12, 14 or 16; 16 where none is deep.

    Files of 16 bits often hold pixels of 12, and of those the upper 8 of 16 bits say next to nothing. Raises
    `UserError` where that is so of colours, of which Pillow reads no others.
    """
    grey, colour, dark = 0, -1, Path()
    for file in files:
        deep, brightest = _brightest(file)
        grey = max(grey, brightest if deep == "grey" else 0)
        if deep == "colour" and brightest > colour:
            colour, dark = brightest, file
    if 0 <= colour < _DARK:
        raise UserError(f"{dark} has 16 bits a channel of which few are used; save such images with 8 bits a channel")
    return min(16, max(8, grey.bit_length() + grey.bit_length() % 2)) if grey else 16


def _brightest(file: Path) -> tuple[str, int]:
    """Whether an image is deep, in `grey` or in `colour`, and its largest value as Pillow reads it."""
    from PIL import Image

    try:
        with (
            warnings.catch_warnings(action="ignore"),
            open_file(file, _BYTES_LIMIT) as opened,
            Image.open(opened, formats=FORMATS) as image,
        ):
            if image.mode.startswith("I") and image.width * image.height <= _PIXELS_LIMIT:
                return "grey", int(np.asarray(image).max(initial=0))
            if ";16" in str(image.tile) and image.width * image.height <= _PIXELS_LIMIT:
                return "colour", int(np.asarray(image.convert("RGB")).max(initial=0))
    except (UserError, *_DAMAGE, Image.DecompressionBombError):
        return "", 0  # which is told as it is read
    return "", 0


def square(file: Path, pixels: int, bits: int = 16) -> UInt8[np.ndarray, "3 size size"]:
    """The image in `file`, resized as a whole to a square of so many `pixels`; grey ones are repeated thrice.

    Grey ones of more than 8 bits are taken for ones of so many `bits`. It is turned as its camera says, and transparent
    parts are black. Raises `UserError` naming the file where it is damaged or larger than any image to learn from.
    """
    from PIL import Image  # 60 ms, and only needed where images are imported

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            with open_file(file, _BYTES_LIMIT) as opened, Image.open(opened, formats=FORMATS) as image:
                if image.width * image.height > _PIXELS_LIMIT:
                    raise UserError(f"{file} is refused: {image.width}x{image.height} pixels are too many")
                return _resized(image, pixels, bits)
    except UserError:
        raise
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        raise UserError(f"{file} cannot be read as an image ({type(error).__name__}: {str(error)[:120]})") from None


def _resized(image: "Image.Image", pixels: int, bits: int) -> Any:
    from PIL import Image, ImageOps

    coloured = _coloured(ImageOps.exif_transpose(image), bits)
    small = coloured.resize((pixels, pixels), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1)


def _coloured(image: "Image.Image", bits: int) -> "Image.Image":
    """`image` in red, green and blue, of 8 bits each."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        deep = np.asarray(image)
        if image.mode.startswith("F") or deep.min() < 0 or deep.max() > 0xFFFF:
            raise ValueError(f"pixels of mode {image.mode}; save it with 8 or 16 bits a channel")
        image = Image.fromarray((deep >> (bits - 8)).astype(np.uint8))
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    black = Image.new("RGB", layered.size)
    black.paste(layered, mask=layered.getchannel("A"))
    return black

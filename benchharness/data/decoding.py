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
"""If the upper 8 of 16 bits stay below this value (of 255) in all images, the pixels have 14 bits or fewer."""
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
    """Bits per pixel of the grey images in `files`, judged by the brightest pixel: 8, 10, 12, 14 or 16.

    16 if no image has more than 8 bits. Files of 16 bits often hold 12-bit pixels, whose upper 8 bits are almost all
    zero. Raises `UserError` for such colour images, since Pillow reads only the upper 8 bits of each channel.
    """
    grey, colour, dark = 0, -1, Path()
    for file in files:
        deep, brightest = _brightest(file)
        grey = max(grey, brightest if deep == "grey" else 0)
        if deep == "colour" and brightest > colour:
            colour, dark = brightest, file
    if 0 <= colour < _DARK:
        raise UserError(f"{dark} has 16 bits per channel but uses few of them; save such images with 8 bits each")
    return min(16, max(8, grey.bit_length() + grey.bit_length() % 2)) if grey else 16


def _brightest(file: Path) -> tuple[str, int]:
    """`grey` or `colour` for an image of more than 8 bits per channel, else empty; and its largest pixel value."""
    from PIL import Image

    try:
        with (
            warnings.catch_warnings(action="ignore"),
            open_file(file, _BYTES_LIMIT) as stream,
            Image.open(stream, formats=FORMATS) as image,
        ):
            if image.mode.startswith("I") and image.width * image.height <= _PIXELS_LIMIT:
                return "grey", int(np.asarray(image).max(initial=0))
            if ";16" in str(image.tile) and image.width * image.height <= _PIXELS_LIMIT:
                return "colour", int(np.asarray(image.convert("RGB")).max(initial=0))
    except (UserError, *_DAMAGE, Image.DecompressionBombError):
        return "", 0  # the error is raised when the image is read
    return "", 0


def square(file: Path, pixels: int, bits: int = 16) -> UInt8[np.ndarray, "3 size size"]:
    """The image in `file`, resized (not cropped) to a square of `pixels` x `pixels`; grey is repeated in three
    channels.

    Grey images of more than 8 bits are read as `bits` bits. The camera's orientation is applied; transparent parts
    become black. Raises `UserError` if the file is damaged or has too many pixels.
    """
    from PIL import Image  # takes 60 ms, and is only needed to import images

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            with open_file(file, _BYTES_LIMIT) as stream, Image.open(stream, formats=FORMATS) as image:
                if image.width * image.height > _PIXELS_LIMIT:
                    raise UserError(f"{file} has too many pixels: {image.width}x{image.height}")
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

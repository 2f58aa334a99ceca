"""One image file of whatever kind as square pixels in three channels."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import UInt8

from benchharness.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF")
_PIXELS_LIMIT: Final = 1 << 26
"""Height times width beyond which a file is not decoded: a few bytes may stand for gigabytes."""
_BYTES_LIMIT: Final = 1 << 27
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


def square(file: Path, pixels: int) -> UInt8[np.ndarray, "3 size size"]:
    """The image in `file`, resized as a whole to a square of so many `pixels`; grey ones are repeated thrice.

    It is turned as its camera says, and transparent parts are black. Raises `UserError` naming the file where it is
    damaged or larger than any image to learn from.
    """
    from PIL import Image  # 60 ms, and only needed where images are imported

    try:
        if file.stat().st_size > _BYTES_LIMIT:
            raise UserError(f"{file} is refused: {file.stat().st_size} bytes are more than any image here has")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > _PIXELS_LIMIT:
                    raise UserError(f"{file} is refused: {image.width}x{image.height} pixels are too many")
                return _resized(image, pixels)
    except UserError:
        raise
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        raise UserError(f"{file} cannot be read as an image ({type(error).__name__}: {str(error)[:120]})") from None


def _resized(image: "Image.Image", pixels: int) -> Any:
    from PIL import Image, ImageOps

    coloured = _coloured(ImageOps.exif_transpose(image))
    small = coloured.resize((pixels, pixels), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1)


def _coloured(image: "Image.Image") -> "Image.Image":
    """`image` in red, green and blue, of 8 bits each."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        deep = np.asarray(image)
        if image.mode.startswith("F") or deep.min() < 0 or deep.max() > 0xFFFF:
            raise ValueError(f"pixels of mode {image.mode}; save it with 8 or 16 bits a channel")
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    black = Image.new("RGB", seen.size)
    black.paste(seen, mask=seen.getchannel("A"))
    return black

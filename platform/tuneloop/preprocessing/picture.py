"""A picture as requests and rows hold it: base64 of an image file, a plain text to JSON and Arrow."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import MissingExtraError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MOST_BYTES = 16 << 20
MOST_PIXELS = 24_000_000
"""Of one picture; a file of a few kilobytes may hold billions."""
MOST_SIDE = 16_384


class PictureError(ValueError):
    """Why a value is no picture; the text says it to whoever sent it."""


class Picture(str):
    """Base64 of an image file that was decoded.

    Attributes:
        pixels: `uint8 [height, width, 3]` in red, green and blue, or `[height, width, 1]` in grey; upright, and on
            white where it was transparent.
    """

    __slots__ = ("pixels",)
    pixels: NDArray[np.uint8]

    @classmethod
    def read(cls, value: Any, channels: int = 3) -> Self:
        """A base64 text of an image file; or its pixels: `{"array": [[0, 255], ...]}`, rows of numbers or of colours.

        Args:
            value: The text or the pixels.
            channels: 3 for colours, 1 for grey.

        Raises:
            PictureError: It is neither, or too large.
            MissingExtraError: Pillow is not installed.
        """
        if isinstance(value, cls) and value.pixels.shape[2] == channels:
            return value
        if isinstance(value, str):
            if len(value) > MOST_BYTES:
                raise PictureError(f"has {len(value)} characters; at most {MOST_BYTES} are read")
            try:
                content = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError) as error:
                raise PictureError("is not base64 of an image file") from error
            picture = cls(value)
            picture.pixels = _decode(content, channels)
            return picture
        if isinstance(value, Mapping):
            array = _from_array(value)
            picture = cls(base64.b64encode(png(array)).decode("ascii"))
            picture.pixels = _in_channels(array, channels)
            return picture
        raise PictureError("must be base64 of an image file, or an object with array")


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels `uint8 [height, width, 1 or 3]` as a PNG file."""
    image = _pillow().fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _decode(content: bytes, channels: int) -> NDArray[np.uint8]:
    images = _pillow()
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and of odd files; both are refused, or read as well as they can be.
            warnings.simplefilter("ignore")
            with images.open(io.BytesIO(content), formats=FORMATS) as image:
                _check_size(*image.size)
                upright = ImageOps.exif_transpose(image)
                return _pixels(upright, channels)
    except UnidentifiedImageError as error:
        raise PictureError(f"is no image file that is read here: {', '.join(FORMATS)}") from error
    except images.DecompressionBombError as error:
        raise PictureError(f"has too many pixels; at most {MOST_PIXELS} are read") from error
    except PictureError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError) as error:
        # What Pillow's decoders raise on files that are cut off or damaged.
        raise PictureError(f"is a damaged image file: {error}") from error


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise PictureError("has no pixels")
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise PictureError(f"has {width} x {height} pixels; at most {MOST_PIXELS} are read, and {MOST_SIDE} on a side")


def _pixels(image: Any, channels: int) -> NDArray[np.uint8]:
    """The pixels of a Pillow image of any mode."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        # Sixteen bits: Pillow would cut them off at 255 instead of scaling.
        deep = np.asarray(image, dtype=np.float64)
        top = 65_535.0 if image.mode.startswith("I") else max(1.0, float(deep.max(initial=1.0)))
        return _in_channels(np.clip(deep / top * 255.0, 0, 255).astype(np.uint8)[:, :, None], channels)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = _pillow().new("RGBA", image.size, (255, 255, 255, 255))
        image = _pillow().alpha_composite(ground, image)
    wanted = image.convert("L" if channels == 1 else "RGB")
    return np.array(wanted, dtype=np.uint8).reshape(wanted.height, wanted.width, channels)


def _from_array(value: Mapping[str, Any]) -> NDArray[np.uint8]:
    if set(value) != {"array"}:
        raise PictureError("must be an object with array, and nothing else")
    rows = value["array"]
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows):
        raise PictureError("needs an array of rows of pixels")
    _check_size(len(rows[0]), len(rows))
    try:
        array = np.array(rows, dtype=object)
    except ValueError as error:
        raise PictureError("has rows of different lengths") from error
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise PictureError("must have rows of numbers, or of colours of three numbers, all of one length")
    if not all(
        isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 255 for number in array.flat
    ):
        raise PictureError("has a pixel that is no whole number from 0 to 255")
    return array.astype(np.uint8)


def _in_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    return np.asarray(_pillow().fromarray(pixels).convert("L"), dtype=np.uint8)[:, :, None]


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("reading pictures", "PIL", "image") from error
    return Image

"""Pictures: forms, modes, sizes, and what is refused."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.preprocessing.picture import MOST_BYTES, Picture, PictureError, png

Image = pytest.importorskip("PIL.Image")


def encoded(image: Any, kind: str = "PNG", **more: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return base64.b64encode(file.getvalue()).decode()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int) -> str:
    """A PNG file of a few bytes that says it has so many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return base64.b64encode(file).decode()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_mode_becomes_grey_or_colours(mode: str, channels: int) -> None:
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    image = Image.new("RGB", (5, 4), (255, 255, 255)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 5), 65_535, dtype=np.uint16))
    found = Picture.read(encoded(image, kind), channels).pixels
    assert (found.dtype, found.shape) == (np.uint8, (4, 5, channels))
    assert found.min() >= 250


def test_transparent_pixels_are_white() -> None:
    assert Picture.read(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 0)))).pixels.min() == 255


def test_a_picture_stands_upright() -> None:
    image = Image.new("RGB", (6, 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert Picture.read(encoded(image, "JPEG", exif=exif)).pixels.shape == (6, 2, 3)


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_pixels_come_back_as_they_were_sent(height: int, width: int, channels: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels)).astype(np.uint8)
    listed = pixels.tolist() if channels == 3 else pixels[:, :, 0].tolist()
    picture = Picture.read({"array": listed}, channels)
    assert np.array_equal(picture.pixels, pixels)
    assert np.array_equal(Picture.read(str(picture), channels).pixels, pixels)
    assert Picture.read(picture, channels) is picture


@given(st.binary(max_size=200), st.integers(0, 200), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]))
@settings(max_examples=150, deadline=None)
def test_damaged_files_are_refused_or_read_but_never_more(noise: bytes, place: int, kind: str) -> None:
    content = bytearray(base64.b64decode(encoded(Image.new("RGB", (9, 7), (9, 99, 199)), kind)))
    content[place % len(content) : place % len(content) + len(noise)] = noise
    with contextlib.suppress(PictureError):
        assert Picture.read(base64.b64encode(bytes(content)).decode()).pixels.size


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "must be base64"),
        (7, "must be base64"),
        ("no base64!", "is not base64"),
        ("é", "is not base64"),
        ("", "no image file"),
        (base64.b64encode(b"text").decode(), "no image file"),
        (base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode(), "no image file"),
        ("A" * (MOST_BYTES + 4), "characters"),
        (bomb(5_000, 5_000), "at most 24000000"),
        (bomb(60_000, 60_000), "at most 24000000"),
        (bomb(20_000, 2), "on a side"),
        (bomb(300, 300), "damaged"),
        ({"array": []}, "needs an array"),
        ({"array": [[]]}, "needs an array"),
        ({"array": [[1], [1, 2]]}, "lengths|of one length"),
        ({"array": [[[1, 2]]]}, "three numbers"),
        ({"array": [[256]]}, "0 to 255"),
        ({"array": [[-1]]}, "0 to 255"),
        ({"array": [[1.5]]}, "0 to 255"),
        ({"array": [[True]]}, "0 to 255"),
        ({"array": [["a"]]}, "0 to 255"),
        ({"array": [[1]], "more": 1}, "nothing else"),
    ],
)
def test_what_is_no_picture_is_refused(value: Any, said: str) -> None:
    with pytest.raises(PictureError, match=said):
        Picture.read(value)


def test_a_file_that_was_cut_off_is_refused() -> None:
    whole = png(np.random.default_rng(0).integers(0, 256, (50, 50, 3)).astype(np.uint8))
    with pytest.raises(PictureError, match="damaged"):
        Picture.read(base64.b64encode(whole[: len(whole) // 2]).decode())

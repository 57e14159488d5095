"""Pixels as a PNG file: https://www.w3.org/TR/png-3/, with no library but zlib."""

from __future__ import annotations

import struct
import zlib
from typing import Any


def png(pixels: Any) -> bytes:
    """A PNG file of `uint8 [height, width]` in grey, or `[height, width, 3]` in red, green and blue."""
    height, width = pixels.shape[:2]
    color = 0 if pixels.ndim == 2 else 2
    # Each line begins with its filter: 0, none.
    lines = b"".join(b"\0" + pixels[line].tobytes() for line in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

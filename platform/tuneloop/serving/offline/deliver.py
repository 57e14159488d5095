"""Put a finished file in its place: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from tuneloop.serving.offline.places import upload
from tuneloop.storage import is_url


def put(name: str, work: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file and move it to a path or URL.

    Args:
        name: The path or URL; the file there is replaced.
        work: A local folder, for what goes to a URL.
        write: Writes the content.

    Raises:
        DataError: The store of the URL refuses.
    """
    path = Path(name).absolute()
    # A killed attempt left at most this one name, which the next attempt writes again.
    half = work / "joined" if is_url(name) else path.with_name(f".{path.name}.joining")
    half.parent.mkdir(parents=True, exist_ok=True)
    with half.open("wb") as target:
        write(target)
        target.flush()
        os.fsync(target.fileno())
    if is_url(name):
        upload(half, name)
        half.unlink()
        return
    half.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def concatenate(parts: Iterable[Path], target: BinaryIO) -> None:
    """Write files behind each other."""
    for part in parts:
        target.write(part.read_bytes())

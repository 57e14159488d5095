"""The input files: local paths, globs and fsspec URLs; what they are known by, and how they are opened."""

from __future__ import annotations

import glob
import gzip
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from tuneloop.api import DataError, MissingExtraError
from tuneloop.artifact import sha256_file
from tuneloop.serving.offline.formats import is_packed
from tuneloop.storage import is_url


@dataclass(frozen=True, slots=True)
class Place:
    """One input file.

    Attributes:
        name: Its path or URL, as errors and rejects name it.
        size: Its size in bytes; 0 where the store does not say.
        content: The SHA-256 of a local file; what the store says of the content behind a URL.
        stamp: Changes with the file; cheap to ask again.
    """

    name: str
    size: int
    content: str
    stamp: str


def find_places(patterns: Sequence[str]) -> list[Place]:
    """The files that paths, globs and URLs name: in the order given, those of one glob sorted by name.

    Raises:
        DataError: Nothing is there, it is a folder, or one file is named twice.
    """
    names = [name for pattern in patterns for name in (_urls(pattern) if is_url(pattern) else _paths(pattern))]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"--input names a file more than once: {', '.join(twice)}")
    return [_place(name) for name in names]


def changed(place: Place) -> bool:
    """Whether the file is another one than when it was found."""
    try:
        return _stamp(place.name)[1] != place.stamp
    except OSError:
        return True


@contextmanager
def opened(place: Place) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The stream of the content, unpacked, and the stream of the file itself, whose position shows the progress.

    Raises:
        DataError: It cannot be opened.
    """
    found: Any
    try:
        found = _filesystem(place.name).open(place.name, "rb") if is_url(place.name) else Path(place.name).open("rb")  # noqa: SIM115
    except OSError as error:
        raise DataError(f"{place.name} cannot be read: {error.strerror or error}") from error
    with found as raw:
        if is_packed(place.name):
            with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                yield cast("BinaryIO", unpacked), raw
        else:
            yield raw, raw


def upload(file: Path, url: str) -> None:
    """Put a finished local file at a URL; an object store shows it whole or not at all.

    Raises:
        DataError: The store refuses.
    """
    try:
        _filesystem(url).put_file(str(file), url)
    except OSError as error:
        raise DataError(f"{url} cannot be written: {error}") from error


def exists(name: str) -> bool:
    """Whether there is something at a path or URL."""
    return bool(_filesystem(name).exists(name)) if is_url(name) else Path(name).exists()


def _paths(pattern: str) -> list[str]:
    path = Path(pattern).expanduser()
    if path.is_file():
        return [str(path)]
    if path.is_dir():
        raise DataError(f"--input {pattern!r} is a folder; name its files with a glob such as '{path}/*.csv'")
    found = [name for name in sorted(glob.glob(str(path), recursive=True)) if Path(name).is_file()]  # noqa: PTH207
    if not found:
        raise DataError(f"--input {pattern!r}: there is no such file (looked from {Path.cwd()})")
    return found


def _urls(pattern: str) -> list[str]:
    filesystem = _filesystem(pattern)
    try:
        found = sorted(filesystem.glob(pattern)) if glob.has_magic(pattern) else [pattern]
        files = [str(filesystem.unstrip_protocol(name)) for name in found if filesystem.isfile(name)]
    except OSError as error:
        raise DataError(f"--input {pattern!r} cannot be read: {error}") from error
    if not files:
        raise DataError(f"--input {pattern!r}: there is no such file")
    return files


def _place(name: str) -> Place:
    try:
        size, stamp = _stamp(name)
        content = stamp if is_url(name) else sha256_file(Path(name))
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}") from error
    return Place(name, size, content, stamp)


def _stamp(name: str) -> tuple[int, str]:
    if is_url(name):
        filesystem = _filesystem(name)
        size = filesystem.size(name) or 0
        return int(size), hashlib.sha256(f"{filesystem.ukey(name)}".encode()).hexdigest()
    found = Path(name).stat()
    return found.st_size, f"{found.st_size}-{found.st_mtime_ns}"


def _filesystem(url: str) -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError("a file by URL", "fsspec", "serve") from error
    try:
        return fsspec.core.url_to_fs(url, use_listings_cache=False)[0]
    except (ImportError, ValueError) as error:
        raise DataError(f"{url} cannot be opened: {error}") from error

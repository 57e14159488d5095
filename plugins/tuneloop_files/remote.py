"""Files of a project: on this machine, or at a URL that fsspec reads; those are fetched while they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from tuneloop.api import DataError, MissingExtraError
from tuneloop_files.paths import find_files

_EXTRAS = {"s3": "s3", "s3a": "s3"}


@contextmanager
def local_files(root: Path, pattern: str) -> Iterator[list[Path]]:
    """The files that `pattern` names, sorted by path; errors inside name a fetched one by its URL.

    Args:
        root: The project folder; relative patterns start there.
        pattern: A path or glob, or one behind `PROTOCOL://`, such as `s3://bucket/2024/*.parquet`.

    Raises:
        DataError: No file matches, or the URL cannot be read.
        MissingExtraError: What reads this protocol is not installed.
    """
    if "://" not in pattern:
        yield find_files(root, pattern)
        return
    with tempfile.TemporaryDirectory(prefix="tuneloop-data-") as folder:
        fetched = _fetch(pattern, Path(folder))
        try:
            yield list(fetched)
        except DataError as error:
            text = str(error)
            for path, url in fetched.items():
                text = text.replace(str(path), url)
            raise DataError(text) from error


def _fetch(pattern: str, folder: Path) -> dict[Path, str]:
    """Local copies with the URL of each, in the order of URLs."""
    protocol = pattern.partition("://")[0]
    try:
        import fsspec

        filesystem, path = fsspec.core.url_to_fs(pattern)
    except ImportError as error:
        raise MissingExtraError(
            f"reading {pattern!r}", error.name or "fsspec", _EXTRAS.get(protocol, "serve")
        ) from error
    except ValueError as error:
        raise DataError(f"data.path {pattern!r}: {error}") from error
    try:
        names = _matches(filesystem, path)
        fetched = {}
        for number, name in enumerate(names):
            # In folders of their own: files of one name may come from several.
            local = folder / f"{number:06}" / PurePosixPath(name).name
            local.parent.mkdir()
            filesystem.get_file(name, str(local))
            fetched[local] = filesystem.unstrip_protocol(name)
    except (OSError, ValueError) as error:
        raise DataError(f"data.path {pattern!r} cannot be read: {error or type(error).__name__}") from error
    if not fetched:
        raise DataError(f"data.path {pattern!r}: no file there has such a name")
    return fetched


def _matches(filesystem: Any, path: str) -> list[str]:
    """What the pattern names; one without a wildcard is not listed, as some servers, of HTTP for one, cannot."""
    if not any(sign in path for sign in "*?["):
        return [path]
    return sorted(str(name) for name in filesystem.glob(path) if not filesystem.isdir(name))

"""URLs and folders that are shared: how they are reached, shown and written, whatever keeps them."""

from __future__ import annotations

import contextlib
import errno
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tuneloop.api import MissingExtraError, StorageError, TuneloopError
from tuneloop.artifact import write_atomic

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_EXTRAS = {"s3": "s3", "s3a": "s3"}
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory"})
"""Protocols of stores that show an object whole or not at all."""
_HINTS = {
    errno.EACCES: "this user, or the keys it has, may not do that",
    errno.EPERM: "this user, or the keys it has, may not do that",
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the quota is used up: make room",
    errno.EFBIG: "the file is larger than this process may write (ulimit -f)",
    errno.EROFS: "the file system is read-only",
}


def is_url(place: str) -> bool:
    """Whether a place is an fsspec URL and not a local path."""
    return _URL.match(place) is not None


def join(place: str, *parts: str) -> str:
    """A place below another one."""
    return "/".join((place.rstrip("/"), *parts))


def shown(place: str) -> str:
    """A place as messages name it: without user, password, and what stands behind `?`, which may hold a signature."""
    if not is_url(place):
        return place
    parts = urlsplit(place)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


@contextlib.contextmanager
def reaching(place: str, what: str, done: str) -> Iterator[tuple[Any, str]]:
    """The fsspec file system of a place, and the path in it.

    Args:
        place: Any fsspec URL, or a local path.
        what: What lies there, for a message.
        done: What is done with it, for a message.

    Raises:
        StorageError: What is done inside the `with` fails; names the place and the cause, and never a password.
        MissingExtraError: What reaches this protocol is not installed.
    """
    protocol = place.partition("://")[0] if is_url(place) else ""
    try:
        import fsspec

        # Listings must not be cached: others write there too.
        filesystem, path = fsspec.core.url_to_fs(place, **({"use_listings_cache": False} if protocol else {}))
    except ImportError as error:
        raise MissingExtraError(
            f"{what} at {shown(place)}", error.name or "fsspec", _EXTRAS.get(protocol, "serve")
        ) from error
    except Exception as error:
        raise _error(place, what, done, error) from error
    try:
        yield filesystem, str(path)
    except TuneloopError:
        raise
    except Exception as error:
        # Object stores raise errors of their own for networks and rights, no OSError.
        raise _error(place, what, done, error) from error


def _error(place: str, what: str, done: str, error: Exception) -> StorageError:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    hint = _HINTS.get(getattr(error, "errno", None) or 0)
    if hint is None and isinstance(error, PermissionError):
        hint = _HINTS[errno.EACCES]
    text = f"{what} {shown(place)} cannot be {done}: {said}{f'; {hint}' if hint else ''}"
    return StorageError(_without_secrets(text, place))


def _without_secrets(text: str, place: str) -> str:
    """Libraries quote the URL they were given, with all it holds."""
    if not is_url(place):
        return text
    parts = urlsplit(place)
    for secret in (parts.password, parts.netloc.rpartition("@")[0], parts.query):
        if secret:
            text = text.replace(secret, "***")
    return text


def replace(filesystem: Any, path: str, content: bytes) -> None:
    """Replace a small file: a reader sees the old content or the new, never a part."""
    if is_local(filesystem):
        write_atomic(Path(path), content)
        return
    if _protocols(filesystem) & _WHOLE:
        filesystem.pipe_file(path, content)
        return
    half = f"{path}.{secrets.token_hex(4)}"
    filesystem.pipe_file(half, content)
    filesystem.mv(half, path)


def send(filesystem: Any, file: Path, target: str) -> None:
    """Copy a local file to a path there; its folder is made."""
    if not is_local(filesystem):
        filesystem.put_file(str(file), target)
        return
    place = Path(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place first: a full disk leaves no part under the name of the whole.
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".half-", delete=False) as half:
        try:
            with file.open("rb") as source:
                shutil.copyfileobj(source, half)
            half.close()
            Path(half.name).chmod(0o644)
            Path(half.name).replace(place)
        except BaseException:
            Path(half.name).unlink(missing_ok=True)
            raise


def is_local(filesystem: Any) -> bool:
    """Whether it is the file system of this machine, to which shared folders are mounted."""
    return bool(_protocols(filesystem) & {"file", "local"})


def _protocols(filesystem: Any) -> set[str]:
    found = filesystem.protocol
    return {found} if isinstance(found, str) else set(found)

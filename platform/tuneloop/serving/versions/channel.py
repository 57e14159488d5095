"""The channel: the small file that says which version a deployment serves. A local path or any fsspec URL."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from tuneloop.api import MissingExtraError, ServingError, TuneloopError
from tuneloop.artifact import write_atomic

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_MOST_BYTES = 1 << 20


class ChannelEntry(pydantic.BaseModel):
    """One version to serve."""

    model_config = pydantic.ConfigDict(frozen=True)

    version: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    artifact: Annotated[str, pydantic.Field(min_length=1)]
    """Folder of the artifact: a path (relative ones start at the channel file's folder) or an fsspec URL."""
    sha256: Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]
    signature: str | None = None
    """The DSSE envelope that says it may be served, for servers that ask for one; see signature.py."""


class ChallengerEntry(ChannelEntry):
    """A version to try beside the champion."""

    mode: Literal["shadow", "canary"]
    """`shadow`: it answers too, and nobody sees it. `canary`: it answers a share of the requests."""
    share: Annotated[float, pydantic.Field(gt=0, le=1)] = 1.0
    """Share of the requests it is asked."""
    by: str | None = None
    """Column whose value decides who is asked, so that equal values always ask the same version."""


class Channel(pydantic.BaseModel):
    """The content of a channel file. `updated` is when it was written, ISO 8601 in UTC."""

    model_config = pydantic.ConfigDict(frozen=True)

    model: str
    champion: ChannelEntry
    challenger: ChallengerEntry | None = None
    updated: str


def is_url(place: str) -> bool:
    """Whether a place is an fsspec URL and not a local path."""
    return _URL.match(place) is not None


def read_channel(url: str) -> Channel:
    """Read and check a channel file.

    Raises:
        ServingError: It cannot be read, or is no channel; says where and why.
    """
    try:
        return Channel.model_validate_json(_read(url))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise ServingError(f"{url} is not a channel file: {where}: {first['msg']}") from error


def write_channel(url: str, channel: Channel) -> None:
    """Replace a channel file; a reader sees the old content or the new, never a part.

    Raises:
        ServingError: It cannot be written.
    """
    content = (channel.model_dump_json(indent=1) + "\n").encode()
    try:
        if not is_url(url):
            write_atomic(Path(url), content)
            return
        with remote(url, "the channel", "written") as (filesystem, path):
            # Object stores put a whole object at once; a part is never visible.
            filesystem.pipe_file(path, content)
    except OSError as error:
        raise ServingError(f"the channel {url} cannot be written: {error}") from error


def artifact_place(channel_url: str, entry: ChannelEntry) -> str:
    """Where an entry's artifact lies: an absolute path, or a URL."""
    if is_url(entry.artifact):
        return entry.artifact
    if is_url(channel_url):
        if entry.artifact.startswith("/"):
            return entry.artifact
        return f"{channel_url.rsplit('/', 1)[0]}/{entry.artifact}"
    return str(Path(channel_url).resolve().parent / entry.artifact)


@contextlib.contextmanager
def remote(url: str, what: str, done: str) -> Iterator[tuple[Any, str]]:
    """The fsspec file system of a URL, and the path in it.

    Args:
        url: Any fsspec URL.
        what: What lies there, for a message.
        done: What is done with it, for a message.

    Raises:
        ServingError: The file system's package is absent, or what is done inside the `with` fails.
    """
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(f"{what} by URL", "fsspec", "serve") from error
    try:
        # Listings must not be cached: a channel is read to see what changed.
        filesystem, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
        yield filesystem, str(path)
    except TuneloopError:
        raise
    except Exception as error:
        # Object stores raise errors of their own for networks and rights, no OSError.
        said = getattr(error, "strerror", None) or str(error) or repr(error)
        raise ServingError(f"{what} {url} cannot be {done}: {said}") from error


def _read(url: str) -> bytes:
    try:
        if not is_url(url):
            with Path(url).open("rb") as stream:
                content = stream.read(_MOST_BYTES + 1)
        else:
            with remote(url, "the channel", "read") as (filesystem, path):
                content = filesystem.cat_file(path)
    except OSError as error:
        raise ServingError(f"the channel {url} cannot be read: {error.strerror or error}") from error
    if len(content) > _MOST_BYTES:
        raise ServingError(f"the channel {url} is larger than {_MOST_BYTES} bytes, so it is no channel file")
    return bytes(content)

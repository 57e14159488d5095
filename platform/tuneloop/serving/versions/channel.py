"""The channel: the small file that says which version a deployment serves. A local path or any fsspec URL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from tuneloop.api import ServingError, StorageError
from tuneloop.artifact import write_atomic
from tuneloop.storage import is_url, reaching
from tuneloop.storage.places import replace

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
        with _remote(url, "written") as (filesystem, path):
            replace(filesystem, path, content)
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
def _remote(url: str, done: str) -> Iterator[tuple[Any, str]]:
    """The fsspec file system of a URL, and the path in it.

    Raises:
        ServingError: What is done inside the `with` fails.
        MissingExtraError: The file system's package is absent.
    """
    try:
        with reaching(url, "the channel", done) as found:
            yield found
    except StorageError as error:
        raise ServingError(str(error)) from error


def _read(url: str) -> bytes:
    try:
        if not is_url(url):
            with Path(url).open("rb") as stream:
                content = stream.read(_MOST_BYTES + 1)
        else:
            with _remote(url, "read") as (filesystem, path):
                content = filesystem.cat_file(path)
    except OSError as error:
        raise ServingError(f"the channel {url} cannot be read: {error.strerror or error}") from error
    if len(content) > _MOST_BYTES:
        raise ServingError(f"the channel {url} is larger than {_MOST_BYTES} bytes, so it is no channel file")
    return bytes(content)

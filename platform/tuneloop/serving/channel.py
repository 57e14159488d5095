"""The channel: the small file that says which version a deployment serves. A local path or any fsspec URL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import pydantic

from tuneloop.api import MissingExtraError, ServingError
from tuneloop.artifact import MANIFEST, TRAINING, write_atomic

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_MOST_BYTES = 1 << 20


class ChannelEntry(pydantic.BaseModel):
    """One version to serve."""

    model_config = pydantic.ConfigDict(frozen=True)

    version: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    artifact: Annotated[str, pydantic.Field(min_length=1)]
    """Folder of the artifact: a path (relative ones start at the channel file's folder) or an fsspec URL."""
    sha256: Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]


class Channel(pydantic.BaseModel):
    """The content of a channel file. `updated` is when it was written, ISO 8601 in UTC."""

    model_config = pydantic.ConfigDict(frozen=True)

    model: str
    champion: ChannelEntry
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
        filesystem, path = _filesystem(url)
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


def fetch_artifact(place: str, sha256: str, cache: Path) -> Path:
    """A local folder with the artifact: the place itself, or a copy of what the URL holds, `training/` apart.

    Args:
        place: As `artifact_place` gives it.
        sha256: Names the copy; that it is right is for `Artifact.open` to say.
        cache: Where copies are kept.

    Raises:
        ServingError: The URL cannot be read.
    """
    if not is_url(place):
        return Path(place)
    target = cache / sha256
    if (target / MANIFEST).is_file():
        return target
    filesystem, root = _filesystem(place)
    root = root.rstrip("/")
    try:
        found = [str(name) for name in filesystem.find(root)]
        names = {name[name.index(root) + len(root) :].lstrip("/"): name for name in found}
        # The manifest comes last: a folder that holds one was copied whole.
        for relative in sorted(names, key=lambda name: (name == MANIFEST, name)):
            if relative.startswith(f"{TRAINING}/"):
                continue
            if ".." in Path(relative).parts:
                raise ServingError(f"{place} holds the file {relative!r}, which lies outside the artifact")
            local = target / relative
            local.parent.mkdir(parents=True, exist_ok=True)
            filesystem.get_file(names[relative], str(local))
    except OSError as error:
        raise ServingError(f"the artifact {place} cannot be fetched: {error}") from error
    return target


def _read(url: str) -> bytes:
    try:
        if not is_url(url):
            with Path(url).open("rb") as stream:
                content = stream.read(_MOST_BYTES + 1)
        else:
            filesystem, path = _filesystem(url)
            content = filesystem.cat_file(path, start=0, end=_MOST_BYTES + 1)
    except OSError as error:
        raise ServingError(f"the channel {url} cannot be read: {error.strerror or error}") from error
    if len(content) > _MOST_BYTES:
        raise ServingError(f"the channel {url} is larger than {_MOST_BYTES} bytes, so it is no channel file")
    return content


def _filesystem(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError("a channel by URL", "fsspec", "serve") from error
    try:
        # Listings must not be cached: a channel is read to see what changed.
        filesystem, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise ServingError(f"{url} cannot be opened: {error}") from error
    return filesystem, str(path)

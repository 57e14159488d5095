"""Artifacts to and from places that are fsspec URLs; `training/` stays behind."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from tuneloop import storage
from tuneloop.api import ServingError, StorageError
from tuneloop.artifact import TRAINING, Artifact
from tuneloop.serving.versions.channel import Channel, ChannelEntry, write_channel
from tuneloop.storage import is_url
from tuneloop.storage.places import reaching, replace


def fetch_artifact(place: str, sha256: str, cache: Path) -> Path:
    """A local folder with the artifact: the place itself, or a copy of what the URL holds.

    Args:
        place: As `artifact_place` gives it.
        sha256: Names the copy; that it is right is for `Artifact.open` to say.
        cache: Where copies are kept.

    Raises:
        ServingError: The URL cannot be read, or holds no artifact.
    """
    if not is_url(place):
        return Path(place)
    try:
        return storage.fetch_artifact(place, sha256, cache, skip=(TRAINING,))
    except StorageError as error:
        raise ServingError(str(error)) from error


def forget_artifacts(cache: Path, keep: Collection[str]) -> None:
    """Delete the copies of all artifacts but those with these hashes. A loaded model needs its files no more."""
    if not cache.is_dir():
        return
    for folder in cache.iterdir():
        if folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def put_artifact(artifact: Artifact, place: str) -> None:
    """Copy an artifact to a URL. The manifest comes last, so that a copy which is cut off is no artifact.

    Raises:
        ServingError: The URL cannot be written.
    """
    try:
        storage.put_artifact(artifact, place, skip=(TRAINING,))
    except StorageError as error:
        raise ServingError(str(error)) from error


def mirror_channel(url: str, channel: Channel) -> None:
    """Copy a channel whose artifacts are local, and the artifacts beside it, to `artifacts/SHA256`.

    Their signatures are kept in `signatures` too, for hosts that name them again and lack the Bento.

    Raises:
        ServingError: The URL cannot be written; the channel there still says what it said.
    """
    folder = url.rsplit("/", 1)[0]
    changed: dict[str, ChannelEntry] = {}
    for role in ("champion", "challenger"):
        entry = getattr(channel, role)
        if entry is not None:
            place = f"artifacts/{entry.sha256}"
            put_artifact(Artifact.open(Path(entry.artifact), skip=(TRAINING,)), f"{folder}/{place}")
            if entry.signature is not None:
                _put_signature(url, entry, entry.signature)
            changed[role] = entry.model_copy(update={"artifact": place})
    write_channel(url, channel.model_copy(update=changed))


def kept_signature(url: str, version: str, sha256: str) -> str | None:
    """The envelope that `mirror_channel` kept of a version; None where it kept none. Whoever serves it verifies it.

    Args:
        url: Of the channel.
        version: Its number.
        sha256: Of its artifact.
    """
    try:
        with reaching(_signature_place(url, version, sha256), "the signature", "read") as (filesystem, path):
            content: bytes = filesystem.cat_file(path)
    except StorageError:
        return None
    return content.decode("utf-8", "replace")


def _put_signature(url: str, entry: ChannelEntry, envelope: str) -> None:
    place = _signature_place(url, entry.version, entry.sha256)
    try:
        with reaching(place, "the signature", "stored") as (filesystem, path):
            filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            replace(filesystem, path, envelope.encode())
    except StorageError as error:
        raise ServingError(str(error)) from error


def _signature_place(url: str, version: str, sha256: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/signatures/{version}-{sha256}.json"

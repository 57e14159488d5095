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
            changed[role] = entry.model_copy(update={"artifact": place})
    write_channel(url, channel.model_copy(update=changed))

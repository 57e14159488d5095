"""Artifacts to and from places that are fsspec URLs; `training/` stays behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from tuneloop.api import ServingError
from tuneloop.artifact import MANIFEST, TRAINING, Artifact
from tuneloop.serving.versions.channel import Channel, ChannelEntry, is_url, remote, write_channel


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
    target = cache / sha256
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    # A copy that is cut off never takes the name of a whole one.
    with tempfile.TemporaryDirectory(prefix="half-", dir=cache) as half:
        _copy(place, Path(half) / "artifact")
        (Path(half) / "artifact").rename(target)
    return target


def _copy(place: str, target: Path) -> None:
    with remote(place, "the artifact", "fetched") as (filesystem, path):
        root = path.rstrip("/") + "/"
        names = [str(name) for name in filesystem.find(root)]
        relatives = {name[name.index(root) + len(root) :]: name for name in names if root in name}
        if MANIFEST not in relatives:
            raise ServingError(f"the artifact {place} cannot be fetched: there is no {MANIFEST}")
        for relative, name in relatives.items():
            parts = PurePosixPath(relative).parts
            if parts[0] == TRAINING:
                continue
            if ".." in parts:
                raise ServingError(f"{place} holds the file {relative!r}, which lies outside the artifact")
            local = target.joinpath(*parts)
            local.parent.mkdir(parents=True, exist_ok=True)
            filesystem.get_file(name, str(local))


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
    names = [name for name in artifact.manifest.files if PurePosixPath(name).parts[0] != TRAINING]
    with remote(place, "the artifact", "stored") as (filesystem, path):
        root = path.rstrip("/")
        if filesystem.exists(f"{root}/{MANIFEST}"):
            return
        for name in (*names, MANIFEST):
            filesystem.put_file(str(artifact.folder / name), f"{root}/{name}")


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

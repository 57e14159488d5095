"""Artifacts kept elsewhere, as they were sealed: plain files, and the manifest last."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from tuneloop.api import StorageError
from tuneloop.artifact import MANIFEST, Artifact
from tuneloop.storage.places import reaching, replace, send, shown


def put_artifact(artifact: Artifact, place: str, *, skip: tuple[str, ...] = ()) -> None:
    """Copy an artifact to a place. The manifest comes last, so that a copy which is cut off is no artifact.

    Args:
        artifact: Verified.
        place: URL or path that no other artifact has.
        skip: Top-level parts that stay behind, such as `training`.

    Raises:
        StorageError: The place cannot be written.
    """
    names = [name for name in artifact.manifest.files if PurePosixPath(name).parts[0] not in skip]
    with reaching(place, "the artifact", "stored") as (filesystem, path):
        root = path.rstrip("/")
        if filesystem.exists(f"{root}/{MANIFEST}"):
            # What was left out then may be wanted now.
            names = [name for name in names if not filesystem.exists(f"{root}/{name}")]
        for name in names:
            send(filesystem, artifact.folder / name, f"{root}/{name}")
        if not filesystem.exists(f"{root}/{MANIFEST}"):
            replace(filesystem, f"{root}/{MANIFEST}", (artifact.folder / MANIFEST).read_bytes())


def fetch_artifact(place: str, sha256: str, cache: Path, *, skip: tuple[str, ...] = ()) -> Path:
    """A local folder with the artifact, fetched once.

    Args:
        place: URL or path.
        sha256: Names the copy; that it is right is for `Artifact.open` to say.
        cache: Where copies are kept.
        skip: Top-level parts that are not fetched.

    Raises:
        StorageError: The place cannot be read, or holds no artifact.
    """
    target = cache / sha256
    if target.is_dir():
        return target
    with reaching(place, "the artifact", "fetched") as (filesystem, path):
        cache.mkdir(parents=True, exist_ok=True)
        # A copy that is cut off never takes the name of a whole one.
        with tempfile.TemporaryDirectory(prefix="half-", dir=cache) as half:
            _copy(filesystem, path.rstrip("/") + "/", Path(half) / "artifact", place, skip)
            (Path(half) / "artifact").rename(target)
    return target


def _copy(filesystem: Any, root: str, target: Path, place: str, skip: tuple[str, ...]) -> None:
    names = [str(name) for name in filesystem.find(root)]
    relatives = {name[name.index(root) + len(root) :]: name for name in names if root in name}
    if MANIFEST not in relatives:
        raise StorageError(f"the artifact {shown(place)} cannot be fetched: there is no {MANIFEST}")
    for relative, name in relatives.items():
        parts = PurePosixPath(relative).parts
        if parts[0] in skip:
            continue
        if ".." in parts:
            raise StorageError(f"{shown(place)} holds the file {relative!r}, which lies outside the artifact")
        local = target.joinpath(*parts)
        local.parent.mkdir(parents=True, exist_ok=True)
        filesystem.get_file(name, str(local))

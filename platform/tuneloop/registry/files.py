"""The files of a version, brought to a local folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

from tuneloop.api import ArtifactError
from tuneloop.artifact import MANIFEST, Artifact
from tuneloop.storage import fetch_artifact


def bring(source: str, place: str | None, sha256: str, folder: Path, uri: str) -> Path:
    """A local folder with the artifact of a version; what it holds is not verified yet.

    Args:
        source: Where MLflow says that its files are: a path or a URL.
        place: Where the project's storage keeps it; None: there is no storage.
        sha256: Of the artifact; names the folder of a copy.
        folder: Holds the copies.
        uri: Of the MLflow store.

    Raises:
        ArtifactError: The storage holds something else; no copy of that is kept.
    """
    local = _local(source)
    if local is not None and (local / MANIFEST).is_file():
        return local
    return _fetch(place, sha256, folder) if place else _download(source, sha256, folder, uri)


def _local(source: str) -> Path | None:
    parsed = urlparse(source)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return Path(source) if not parsed.scheme else None


def _fetch(place: str, sha256: str, folder: Path) -> Path:
    """The artifact at a place of the storage; a copy that is not what was registered is not kept."""
    copy = fetch_artifact(place, sha256, folder)
    try:
        Artifact.open(copy)
    except ArtifactError:
        shutil.rmtree(copy)
        raise
    return copy


def _download(source: str, sha256: str, folder: Path, uri: str) -> Path:
    import mlflow

    target = folder / sha256
    if not (target / MANIFEST).is_file():
        half = target.with_suffix(".half")
        half.mkdir(parents=True, exist_ok=True)
        found = Path(mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(half), tracking_uri=uri))
        found.rename(target)
    return target

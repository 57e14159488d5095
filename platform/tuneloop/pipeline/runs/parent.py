"""The champion a run started from, on the machine that began it or on one that goes on with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import RunError
from tuneloop.artifact import MANIFEST, Artifact
from tuneloop.pipeline.runs.sharing import shared_place
from tuneloop.storage import fetch_artifact

if TYPE_CHECKING:
    from tuneloop.pipeline.runs.step import Scope


def parent_artifact(scope: Scope) -> Artifact | None:
    """The artifact the run's model and labels begin with; None where they begin afresh.

    Raises:
        RunError: It is neither here nor in the project's storage.
        ArtifactError: It was changed.
    """
    parent = scope.request.parent
    if parent is None:
        return None
    folder = Path(parent.folder)
    if not (folder / MANIFEST).is_file():
        place = shared_place(scope.project, "artifacts", parent.sha256)
        if place is None:
            raise RunError(
                f"the champion that run {scope.request.run!r} starts from is not in {folder}: go on with it on the "
                "machine that began it, or name a storage that both machines share"
            )
        folder = fetch_artifact(place, parent.sha256, scope.project.state / "artifacts")
    artifact = Artifact.open(folder)
    if artifact.sha256 != parent.sha256:
        raise RunError(f"the champion in {folder} has SHA-256 {artifact.sha256}; the run began with {parent.sha256}")
    return artifact

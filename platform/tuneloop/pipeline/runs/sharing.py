"""What a run keeps where other machines reach it (`storage` of the project), so that one of them can go on with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.pipeline.runs.records import FEEDBACK, PROJECT, REQUEST, RunRequest, create, read_request, run_folder
from tuneloop.storage import drop_folder, fetch_folder, join
from tuneloop.storage.folders import put_files

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.pipeline.runs.step import StepContext

OUTPUT = "output.json"
_RESULT, _CHECKPOINTS = "result", "checkpoints"


def shared_place(project: Project, *parts: str) -> str | None:
    """A place in the project's storage; None where it has none."""
    return None if project.storage is None else join(project.storage, project.name, *parts)


def checkpoints_place(context: StepContext) -> str | None:
    """Where the checkpoints of a step are kept; None where the project has no storage."""
    return shared_place(context.project, "steps", context.folder.name, _CHECKPOINTS)


def take_result(project: Project, folder: Path) -> bool:
    """Put a step's result that another machine finished into its folder; whether there was one.

    Raises:
        StorageError: The storage cannot be read.
    """
    place = shared_place(project, "steps", folder.name, _RESULT)
    if place is None:
        return False
    with tempfile.TemporaryDirectory(prefix=".taken-", dir=folder) as half:
        if not fetch_folder(place, Path(half), "the result at"):
            return False
        # The record comes last: where it is, the result is whole.
        for path in sorted(Path(half).iterdir(), key=lambda path: path.name == OUTPUT):
            if path.is_dir():
                shutil.rmtree(folder / path.name, ignore_errors=True)
            path.rename(folder / path.name)
    return True


def share_result(project: Project, folder: Path, parts: tuple[str, ...]) -> None:
    """Keep a step's result for other machines; checkpoints that led to it are kept no more.

    Args:
        project: Its storage is where; without one, nothing is done.
        folder: The step's.
        parts: What of the folder is the result, beside its `output.json`.

    Raises:
        StorageError: The storage cannot be written.
    """
    place = shared_place(project, "steps", folder.name)
    if place is None:
        return
    files = {
        path.relative_to(folder).as_posix(): path
        for part in parts
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }
    put_files({**files, OUTPUT: folder / OUTPUT}, join(place, _RESULT), "the result at")
    drop_folder(join(place, _CHECKPOINTS), "the checkpoints at")


def share_request(project: Project, run: str) -> None:
    """Keep what a run was asked for, so that another machine can go on with it by its id.

    Raises:
        StorageError: The storage cannot be written; better known before a training than after.
    """
    place = shared_place(project, "runs", run)
    if place is not None:
        folder = run_folder(project.state, run)
        files = {name: folder / name for name in (REQUEST, PROJECT, FEEDBACK) if (folder / name).exists()}
        put_files(files, place, "the run's request at")


def take_request(project: Project, run: str) -> RunRequest:
    """What a run was asked for, fetched where this machine does not know it.

    Raises:
        RunError: There is no such run.
        StorageError: The storage cannot be read.
    """
    folder, place = run_folder(project.state, run), shared_place(project, "runs", run)
    if place is None or (folder / REQUEST).exists():
        return read_request(folder)
    with tempfile.TemporaryDirectory(prefix="tuneloop-run-") as name:
        half = Path(name)
        if not fetch_folder(place, half, "the run's request at"):
            return read_request(folder)
        feedback = half / FEEDBACK
        asked = RunRequest.model_validate_json((half / REQUEST).read_bytes())
        # As a run of this machine: what its steps write lies here.
        return create(
            project.state, asked, (half / PROJECT).read_bytes(), feedback.read_bytes() if feedback.exists() else None
        )


def forget(project: Project, run: str, folders: Iterable[Path]) -> None:
    """The run is over, and what it made is in the registry: its request and the results of its steps are kept no more.

    Raises:
        StorageError: They cannot be removed.
    """
    places = [("steps", folder.name, part) for folder in folders for part in (_RESULT, _CHECKPOINTS)]
    for parts in (*places, ("runs", run)):
        place = shared_place(project, *parts)
        if place is not None:
            drop_folder(place, "what a run needed at")

"""Training where the project's launcher says: in this process, or in others that rebuild it from a description."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneloop.api import FitResult, Job, Launcher, Report, RunError, is_launched
from tuneloop.artifact import PREPROCESSOR, TRAINING
from tuneloop.config import PROJECT_FILE, parse_project, project_plugins
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.parts import TASK
from tuneloop.pipeline.runs.progress import Progress
from tuneloop.pipeline.runs.records import PROJECT, RunRequest, run_folder
from tuneloop.pipeline.runs.sharing import checkpoints_place, shared_place
from tuneloop.pipeline.runs.step import Scope, StepContext, StepResult
from tuneloop.pipeline.tuning.start import start_model
from tuneloop.pipeline.tuning.teaching import TEACHER_FILE
from tuneloop.pipeline.tuning.training import Training
from tuneloop.storage import drop_folder, fetch_folder, join, put_folder, shared_checkpoints
from tuneloop.storage.folders import put_files

ENTRY = "tuneloop.pipeline.tuning.launching:work"
"""What other processes call."""
CHECKPOINTS, START = "checkpoints", "start"
_READ = {"baseline": ("train", "validation", PREPROCESSOR, TASK), "split": ("validation",)}
"""What of earlier steps training reads."""


def launch(context: StepContext) -> dict[str, Any]:
    """Train where the project says; the weights of the best epoch are then in `training/` of the step's folder.

    Returns:
        `history` and `best_epoch`, as `FitResult` has them.

    Raises:
        TuneloopError: It failed; a run that is resumed goes on from the last whole checkpoint.
    """
    checkpoints = context.folder / CHECKPOINTS
    checkpoints.mkdir(exist_ok=True)

    def report(record: Mapping[str, float]) -> None:
        context.scope.listen(Progress("record", "tune", data=record))

    launcher = _launcher(context)
    if launcher is None:
        with shared_checkpoints(checkpoints, checkpoints_place(context)):
            return _here(context, checkpoints, report)
    place = None if launcher.shares_files else shared_place(context.project, "steps", context.folder.name, "launched")
    job = Job(ENTRY, lambda: _packed(context, place), lambda: _here(context, checkpoints, report), report)
    # Where a place carries the files, the process that writes checkpoints keeps them there, too.
    with shared_checkpoints(checkpoints, None if place else checkpoints_place(context)):
        result: dict[str, Any] = launcher.run(job)
    if place:
        fetch_folder(join(place, TRAINING), fresh(context.folder / TRAINING), "the trained weights at")
        drop_folder(place, "the files of a training at")
    shutil.rmtree(context.folder / START, ignore_errors=True)
    return result


def work(argument: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Train in one process of a group; the first one keeps checkpoints and writes the weights.

    Args:
        argument: As `_packed` makes it.
        report: Told each record; heard in the first process.
    """
    first = int(os.environ.get("RANK", "0")) == 0
    with _folders(argument) as (folder, done):
        context = StepContext(_scope(argument), folder, done)
        training = Training(context)
        model = training.base.load(folder / START, training.task, training.preprocessor)
        checkpoints = folder / CHECKPOINTS
        checkpoints.mkdir(parents=True, exist_ok=True)
        place: str | None = argument["place"]
        kept = checkpoints_place(context) if place and first else None
        with shared_checkpoints(checkpoints, kept):
            result = training.fit(model, checkpoints, report if first else _unheard)
        if first:
            training.base.save(model, training.task, fresh(folder / TRAINING))
            if place:
                put_folder(folder / TRAINING, join(place, TRAINING), "the trained weights at")
    return _plain(result)


def _launcher(context: StepContext) -> Launcher | None:
    chosen = context.project.launch
    # One of many calls, such as a trial of a search, is in a process of a launcher already.
    if chosen is None or is_launched():
        return None
    launcher: Launcher = context.plugins.create("launcher", chosen.launcher, chosen.options)
    return launcher


def _here(context: StepContext, checkpoints: Path, report: Report) -> dict[str, Any]:
    training = Training(context)
    model = start_model(context, training.base, training.task, training.preprocessor)
    result = training.fit(model, checkpoints, report)
    training.base.save(model, training.task, fresh(context.folder / TRAINING))
    return _plain(result)


def _packed(context: StepContext, place: str | None) -> dict[str, Any]:
    """All that `work` needs, as JSON values; the model to begin with is written where it says."""
    training = Training(context)
    model = start_model(context, training.base, training.task, training.preprocessor)
    training.base.save(model, training.task, fresh(context.folder / START))
    # A teacher is asked here, once.
    training.rows()
    root, run = context.project.root, context.scope.request.run
    recorded = (run_folder(context.project.state, run) / PROJECT).read_text(encoding="utf-8")
    current = root / PROJECT_FILE
    if place:
        own = [path for path in (context.folder / TEACHER_FILE, *(context.folder / START).rglob("*")) if path.is_file()]
        files = {path.relative_to(context.folder).as_posix(): path for path in own}
        for step, names in _READ.items():
            for path in (context.file(step, name) for name in names):
                inner = [path] if path.is_file() else sorted(path.rglob("*"))
                files |= {f"{step}/{p.relative_to(path.parent).as_posix()}": p for p in inner if p.is_file()}
        put_files(files, join(place, "files"), "the files of a training at")
    return {
        "root": str(root),
        "project": recorded,
        # What the project blocks now counts, whatever it said when the run began.
        "rules": current.read_text(encoding="utf-8") if current.exists() else recorded,
        "changes": dict(context.scope.changes),
        "request": context.scope.request.model_dump(mode="json"),
        "folder": str(context.folder),
        "place": place,
        "done": {step: {**_fields(context.done[step]), "folder": str(context.done[step].folder)} for step in _READ},
    }


def _fields(result: StepResult) -> dict[str, Any]:
    return {"step": result.step, "fingerprint": result.fingerprint, "output": result.output, "seconds": 0.0}


@contextlib.contextmanager
def _folders(argument: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, StepResult]]]:
    """The step's folder and the results before it: those of the run, or copies on this machine."""
    place = argument["place"]
    if place is None:
        folder = Path(argument["folder"])
        if not (folder / START).is_dir():
            raise RunError(
                f"the machine {socket.gethostname()!r} does not see {folder}, where the run's files are: name a "
                "storage that all machines reach (`storage:` in the project), or share the project's folder"
            )
        yield folder, {name: _result(found, Path(found["folder"])) for name, found in argument["done"].items()}
        return
    with tempfile.TemporaryDirectory(prefix="tuneloop-training-") as own:
        folder = Path(own)
        fetch_folder(join(place, "files"), folder, "the files of a training at")
        yield folder, {name: _result(found, folder / name) for name, found in argument["done"].items()}


def _result(found: Mapping[str, Any], folder: Path) -> StepResult:
    return StepResult(**{**found, "folder": folder}, reused=True)


def _scope(argument: Mapping[str, Any]) -> Scope:
    file = Path(argument["root"]) / PROJECT_FILE
    with tempfile.TemporaryDirectory(prefix="tuneloop-rules-") as folder:
        rules = Path(folder) / PROJECT_FILE
        rules.write_text(argument["rules"], encoding="utf-8")
        plugins = project_plugins(rules)
    project = parse_project(argument["project"].encode(), file, plugins, argument["changes"])
    return Scope(project, plugins, RunRequest.model_validate(argument["request"]), changes=argument["changes"])


def _unheard(record: Mapping[str, float]) -> None:
    """The other processes have the same records."""


def _plain(result: FitResult) -> dict[str, Any]:
    history = [{key: float(value) for key, value in record.items()} for record in result.history]
    return {"history": history, "best_epoch": float(result.best_epoch)}

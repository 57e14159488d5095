"""Start, resume and look up runs."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.api import DataError, RunError, TuneloopError
from tuneloop.artifact import Artifact, sha256_file
from tuneloop.pipeline.runs.durable import launched, watched
from tuneloop.pipeline.runs.faults import in_words
from tuneloop.pipeline.runs.progress import Listener, ignore
from tuneloop.pipeline.runs.records import (
    PROJECT,
    Parent,
    RunRequest,
    create,
    list_runs,
    new_run_id,
    place_of,
    read_status,
    run_folder,
    update_status,
    working_on,
)
from tuneloop.pipeline.runs.sharing import share_request, take_request
from tuneloop.pipeline.runs.step import Scope
from tuneloop.pipeline.runs.workflow import close_scope, open_scope, recorded_scope, workflow
from tuneloop.registry import CHAMPION, Registry, Version

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        run: Its id.
        state: `passed` or `refused` by the gate.
        sha256: Of the artifact.
        version: Its number in the registry.
        promoted: Whether it is the champion now.
        reasons: Why it was refused.
        bento: Tag of the Bento; None where it was refused.
        report: The HTML report.
        artifact: The artifact's folder.
        metrics: Metrics of the served variant by split (`test`, `golden`, `feedback_test`).
        variants: Size in bytes, metrics and verdict of each exported variant.
        seconds: Wall time of this process's part.
        warnings: What is to be known of it though it may have passed.
    """

    run: str
    state: Literal["passed", "refused"]
    sha256: str
    version: str
    promoted: bool
    reasons: tuple[str, ...]
    bento: str | None
    report: Path
    artifact: Path
    metrics: Mapping[str, Mapping[str, float]]
    variants: Mapping[str, Mapping[str, Any]]
    seconds: float
    warnings: tuple[str, ...] = ()


def run_pipeline(
    project: Project,
    plugins: PluginManager,
    *,
    run_id: str | None = None,
    feedback: Path | None = None,
    promote: bool = False,
    who: str | None = None,
    listen: Listener = ignore,
) -> RunResult:
    """Run the pipeline, in a durable workflow of its own.

    Args:
        project: What to run.
        plugins: Where its names are looked up.
        run_id: Its id; by default a new one. That of a finished run gives its result again.
        feedback: Labelled production rows, one `{"key", "row", "label"}` a line; they are copied.
        promote: Make it the champion if it passes; without it only the first version becomes one.
        who: Who asked; by default the user of this process.
        listen: Told about progress.

    Raises:
        TuneloopError: A step failed; `resume_run` goes on after the cause is gone.
    """
    scope = prepare(
        project, plugins, run_id or new_run_id(), feedback=feedback, promote=promote, who=who, listen=listen
    )
    return _alone(scope)


def start_run(
    project: Project,
    plugins: PluginManager,
    *,
    run_id: str,
    feedback: Path | None = None,
    promote: bool = False,
    who: str | None = None,
    listen: Listener = ignore,
) -> RunResult:
    """Run the pipeline as part of a durable workflow of the caller's; the same id again is the same run.

    The caller has launched DBOS with `register_workflows` and calls this in the workflow itself, not in a step.
    Arguments and errors are those of `run_pipeline`.
    """
    from dbos import SetWorkflowID

    scope = prepare(project, plugins, run_id, feedback=feedback, promote=promote, who=who, listen=listen)
    open_scope(scope)
    try:
        with working_on(run_folder(project.state, run_id)), SetWorkflowID(run_id):
            return _result(run_id, workflow()(str(project.root), run_id))
    finally:
        close_scope(scope)


def resume_run(
    project: Project, plugins: PluginManager, run_id: str | None = None, *, listen: Listener = ignore
) -> RunResult:
    """Go on with a run that was killed or failed, with the project file as it was when it began.

    Args:
        project: Its folder is where the run is looked for.
        plugins: Where names are looked up.
        run_id: By default the newest run that is not finished.
        listen: Told about progress.

    Raises:
        RunError: There is no such run, it is finished, or another process is at work on it.
    """
    run = run_id or _unfinished(project)
    folder = run_folder(project.state, run)
    request = take_request(project, run)
    status = read_status(folder)
    if status.state in ("passed", "refused"):
        raise RunError(f"run {run!r} is finished ({status.state}); `tuneloop run` starts a new one")
    if status.state == "failed":
        # A workflow that ended with an error stays ended; its finished steps are found by their fingerprints.
        update_status(folder, attempt=status.attempt + 1, state="running", reasons=())
    scope = replace(recorded_scope(project.root, run), plugins=plugins, request=request, listen=listen)
    return _alone(scope)


def project_changed(project: Project, run_id: str | None = None) -> bool:
    """Whether the project file differs from the one an unfinished run began with."""
    run = run_id or _unfinished(project)
    kept = run_folder(project.state, run) / PROJECT
    return kept.exists() and sha256_file(kept) != project.source_sha256


def register_workflows() -> None:
    """Make the pipeline known to DBOS; called before it is launched, so that cut off runs can be recovered."""
    workflow()


def prepare(
    project: Project,
    plugins: PluginManager,
    run_id: str,
    *,
    feedback: Path | None,
    promote: bool,
    who: str | None,
    listen: Listener,
) -> Scope:
    """Write the record of a run, or take the one there is, and give what its steps share."""
    # A run may train for hours, and has to tell it what came of that.
    Registry(project).reach()
    champion = Registry(project).find(CHAMPION) if feedback is not None else None
    artifact = Registry(project).fetch(CHAMPION) if champion is not None else None
    request = RunRequest(
        run=run_id,
        project=project.name,
        started=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        who=who or getpass.getuser(),
        parent=_parent(project, plugins, champion, artifact),
        promote=promote,
        chosen=artifact.manifest.chosen if artifact is not None else None,
    )
    file, rows = _project_file(project), _read(feedback)
    with in_words(project.state):
        request = create(project.state, request, file, rows)
    share_request(project, run_id)
    return Scope(project, plugins, request, listen)


def _project_file(project: Project) -> bytes:
    """The bytes the project was read from; its name is usually `tuneloop.yaml`."""
    for path in sorted((*project.root.glob("*.yaml"), *project.root.glob("*.yml"))):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == project.source_sha256:
            return content
    raise RunError(f"the project file in {project.root} changed after it was read; run again")


def _read(feedback: Path | None) -> bytes | None:
    try:
        return feedback.read_bytes() if feedback is not None else None
    except OSError as error:
        raise DataError(f"labelled rows cannot be read from {feedback}: {error.strerror}") from error


def _parent(
    project: Project, plugins: PluginManager, champion: Version | None, artifact: Artifact | None
) -> Parent | None:
    """The champion, where the base model can start from it."""
    if champion is None or artifact is None:
        return None
    made = artifact.manifest
    # A model that was chosen among candidates stays while it is one of them.
    kept = project.candidates is not None and made.chosen.get("model") in project.candidates.models
    searched = project.search is not None and "model.base" in project.search.space
    base = made.base_model if kept or searched else project.model.base
    if made.base_model != base or made.task.name != project.task:
        return None
    if not getattr(plugins.get("base model", base), "warm_start", False):
        return None
    return Parent(version=champion.number, sha256=artifact.sha256, folder=str(artifact.folder.resolve()))


def _unfinished(project: Project) -> str:
    found = [record for record in list_runs(project.state) if record.status.state in ("running", "failed")]
    if not found:
        raise RunError("there is no unfinished run to resume; `tuneloop run` starts a new one")
    return found[0].request.run


def _alone(scope: Scope) -> RunResult:
    """Run or go on, in a durable workflow whose executor is this run."""
    folder = run_folder(scope.project.state, scope.request.run)
    attempt = read_status(folder).attempt
    open_scope(scope)
    try:
        with working_on(folder):
            # Machines may share the database and go on with a run; what its steps wrote lies in one folder of it.
            executor = f"{scope.request.run}.{place_of(folder)}"
            with _resumable(scope.project.state, scope.request.run):
                return _in_workflow(scope, executor, executor if attempt == 1 else f"{executor}.{attempt}")
    finally:
        close_scope(scope)


@contextmanager
def _resumable(state: Path, run: str) -> Iterator[None]:
    """Errors that end a run say how to go on with it; what its steps finished is kept."""
    note = (
        f"What run {run} has done is kept: with a changed project file, `tuneloop run` takes the steps that stay the "
        "same from there. Once the cause is gone, it goes on, with the project file as it was, by: "
        f"tuneloop run --resume {run}"
    )
    try:
        with in_words(state):
            yield
    except TuneloopError as error:
        error.add_note(note)
        raise


def _in_workflow(scope: Scope, executor: str, identity: str) -> RunResult:
    from dbos import DBOS, SetWorkflowID

    run = scope.request.run
    state = scope.project.state
    with launched(state, executor, register_workflows), watched(state, run):
        if DBOS.get_workflow_status(identity) is None:
            with SetWorkflowID(identity):
                handle = DBOS.start_workflow(workflow(), str(scope.project.root), run)
        else:
            handle = DBOS.retrieve_workflow(identity)
        return _result(run, handle.get_result())


def _result(run: str, outcome: Mapping[str, Any]) -> RunResult:
    paths = {"report": Path(outcome["report"]), "artifact": Path(outcome["artifact"])}
    # Runs that finished before there were warnings have none.
    lists = {name: tuple(outcome.get(name, ())) for name in ("reasons", "warnings")}
    return RunResult(**{**outcome, **paths, "run": run, **lists})

"""The durable workflow: DBOS records every finished step, and a killed run goes on after the last one."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tuneloop.api import GateEvent, StepEvent, StorageError
from tuneloop.config import PROJECT_FILE, Project, parse_project, project_plugins
from tuneloop.pipeline.data import check, load, split
from tuneloop.pipeline.delivering import export, package, profile, verify
from tuneloop.pipeline.evaluating import crossvalidate, evaluate
from tuneloop.pipeline.promoting import gate, register
from tuneloop.pipeline.promoting.promotion import promote, publish
from tuneloop.pipeline.runs.cache import fingerprint, perform, step_folder
from tuneloop.pipeline.runs.faults import explained
from tuneloop.pipeline.runs.progress import Progress
from tuneloop.pipeline.runs.records import PROJECT, note_step, read_request, run_folder, update_status
from tuneloop.pipeline.runs.sharing import forget
from tuneloop.pipeline.runs.step import Scope, Step, StepResult
from tuneloop.pipeline.searching.variant import redo, variant
from tuneloop.pipeline.tuning import baseline, candidates, search, tune
from tuneloop.registry import CHAMPION, Registry

logger = logging.getLogger(__name__)

STEPS: tuple[Step, ...] = (
    load.STEP,
    check.STEP,
    split.STEP,
    baseline.STEP,
    tune.STEP,
    evaluate.STEP,
    export.STEP,
    verify.STEP,
    profile.STEP,
    gate.STEP,
    register.STEP,
    package.STEP,
)
"""The pipeline, in order."""

_CHOOSING: tuple[Step, ...] = (candidates.STEP, search.STEP)
"""Steps of projects that leave something open: what they find holds from then on."""

_FROM_FILES: tuple[Step, ...] = (candidates.STEP, baseline.STEP, tune.STEP)
"""Steps whose inputs are files beside the rows: a checkpoint, a teacher."""

_open_scopes: dict[tuple[str, str], Scope] = {}


def steps_of(project: Project) -> tuple[Step, ...]:
    """The steps of a project's run, in order."""
    found = list(STEPS)
    if project.candidates is not None:
        found.insert(found.index(baseline.STEP), candidates.STEP)
    if project.search is not None:
        found.insert(found.index(tune.STEP), search.STEP)
    if project.evaluate.folds is not None:
        found.insert(found.index(evaluate.STEP) + 1, crossvalidate.STEP)
    return tuple(found)


def open_scope(scope: Scope) -> None:
    """Make known what a run of this process works with; a recovered run without one rebuilds it from its record."""
    _open_scopes[str(scope.project.root), scope.request.run] = scope


def close_scope(scope: Scope) -> None:
    """The run is over."""
    _open_scopes.pop((str(scope.project.root), scope.request.run), None)


def recorded_scope(root: Path, run: str) -> Scope:
    """What a run works with, from its record: the project file as it was when it began."""
    folder = run_folder(root / ".tuneloop", run)
    request = read_request(folder)
    # What the project blocks now counts, whatever it said when the run began.
    current = root / PROJECT_FILE
    plugins = project_plugins(current if current.exists() else folder / PROJECT)
    project = parse_project((folder / PROJECT).read_bytes(), root / PROJECT_FILE, plugins)
    return Scope(project, plugins, request)


@functools.cache
def workflow() -> Callable[[str, str], dict[str, Any]]:
    """The workflow `(project root, run id) -> outcome`, registered with DBOS once a process."""
    from dbos import DBOS

    @DBOS.step(name="tuneloop_step")
    def do(step: Step, scope: Scope, done: dict[str, StepResult]) -> dict[str, Any]:
        result = perform(step, scope, done)
        return {
            "fingerprint": result.fingerprint,
            "folder": result.folder.name,
            "output": result.output,
            "seconds": result.seconds,
            "reused": result.reused,
        }

    @DBOS.step(name="tuneloop_promote")
    def settle(scope: Scope, version: str) -> bool:
        return _settle(scope, version)

    @DBOS.workflow(name="tuneloop_pipeline")
    def pipeline(root: str, run: str) -> dict[str, Any]:
        scope = _open_scopes.get((root, run)) or recorded_scope(Path(root), run)
        try:
            return _pipeline(scope, do, settle)
        except Exception as error:
            folder = run_folder(scope.project.state, run)
            said = explained(error, scope.project.state) or error
            # A full disk may not even take this: the run then counts as cut off.
            with contextlib.suppress(OSError):
                update_status(folder, state="failed", reasons=(str(said) or repr(said),))
            raise

    return pipeline


def _pipeline(
    scope: Scope,
    do: Callable[[Step, Scope, dict[str, StepResult]], dict[str, Any]],
    settle: Callable[[Scope, str], bool],
) -> dict[str, Any]:
    folder = run_folder(scope.project.state, scope.request.run)
    begun = time.monotonic()
    done: dict[str, StepResult] = {}

    def one(step: Step, scope: Scope, done: Mapping[str, StepResult]) -> StepResult:
        update_status(folder, state="running", step=step.name, reasons=())
        scope.listen(Progress("started", step.name))
        note_step(folder, step.name, step_folder(scope, step.name, fingerprint(step, scope, done)).name, finished=False)
        started = time.monotonic()
        record = do(step, scope, dict(done))
        seconds = time.monotonic() - started
        part = f"{record['folder']}/{record['output']['rows']}" if step is load.STEP else record["folder"]
        note_step(folder, step.name, part, finished=True)
        record["folder"] = scope.project.state / "steps" / record["folder"]
        result = StepResult(step=step.name, **record)
        _tell(scope, result, seconds)
        return result

    steps = steps_of(scope.project)
    for step in steps:
        if step in _FROM_FILES:
            # What is missing is told before the first row is read.
            step.inputs(scope)
    for place, step in enumerate(steps):
        done[step.name] = one(step, scope, done)
        if step in _CHOOSING:
            before, scope = scope, variant(scope, done[step.name].output["found"])
            earlier = [one for one in steps[:place] if one not in _CHOOSING]
            done = redo(earlier, before, scope, done, one)
    version, passed = done["register"].output["version"], done["gate"].output["passed"]
    promoted = settle(scope, version) if passed else False
    reasons = [check["text"] for check in done["gate"].output["checks"] if not check["passed"]]
    state = "passed" if passed else "refused"
    sha256 = done["profile"].output["sha256"]
    status = update_status(
        folder,
        state=state,
        version=version,
        sha256=sha256,
        reasons=tuple(reasons),
        checks=tuple((check["passed"], check["text"]) for check in done["gate"].output["checks"]),
        figures={**done["profile"].output["figures"], **done["gate"].output["figures"]},
        seconds=time.monotonic() - begun,
    )
    _forget(scope, done)
    return {
        "state": state,
        "sha256": sha256,
        "version": version,
        "promoted": promoted,
        "reasons": reasons,
        "warnings": done["register"].output["warnings"],
        "bento": done["package"].output["bento"],
        "report": done["register"].output["report"],
        "artifact": str(done["profile"].folder / profile.ARTIFACT),
        "metrics": {"test": done["profile"].output["metrics"], **done["gate"].output["metrics"]},
        "variants": done["verify"].output["variants"],
        "seconds": status.seconds,
    }


def _forget(scope: Scope, done: dict[str, StepResult]) -> None:
    shared = [done[step.name].folder for step in steps_of(scope.project) if step.shared]
    try:
        forget(scope.project, scope.request.run, shared)
    except StorageError as error:
        logger.warning("the run is over, but what it kept for other machines is still there: %s", error)


def _tell(scope: Scope, result: StepResult, seconds: float) -> None:
    scope.listen(Progress("finished", result.step, seconds, result.reused, result.summary, result.table))
    run, project = scope.request.run, scope.project.name
    event = StepEvent(project, run, result.step, seconds, result.reused, result.summary)
    scope.plugins.notify("tuneloop_step_finished", event)
    if result.step == "gate":
        checks = tuple(check["text"] for check in result.output["checks"])
        scope.plugins.notify("tuneloop_gate_decided", GateEvent(project, run, result.output["passed"], checks))


def _settle(scope: Scope, version: str) -> bool:
    """Promote the version where it is asked for, or where nothing serves yet; whether it is the champion now."""
    registry = Registry(scope.project)
    champion = registry.find(CHAMPION)
    if champion is not None and champion.number == version:
        publish(scope.project, registry)
        return True
    if champion is not None and not scope.request.promote:
        return False
    why = "the first version that passed the gate" if champion is None else f"asked for with run {scope.request.run}"
    promote(scope.project, scope.plugins, version, who=scope.request.who, why=why)
    return True

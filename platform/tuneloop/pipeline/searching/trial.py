"""One trial: the pipeline up to training, with drawn options, judged on the validation rows."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneloop.api import RunError
from tuneloop.artifact import write_atomic
from tuneloop.config import PROJECT_FILE, parse_project, project_plugins
from tuneloop.config.search import Search
from tuneloop.pipeline.data import check, load, split
from tuneloop.pipeline.delivering import export, verify
from tuneloop.pipeline.evaluating import evaluate
from tuneloop.pipeline.runs.cache import fingerprint, load_result, perform, step_folder
from tuneloop.pipeline.runs.progress import Progress
from tuneloop.pipeline.runs.records import PROJECT, read_request, run_folder
from tuneloop.pipeline.runs.step import Scope, Step, StepResult
from tuneloop.pipeline.searching.storage import close_study, import_optuna, open_study
from tuneloop.pipeline.searching.variant import redo, variant
from tuneloop.pipeline.tuning import baseline, tune

ENTRY = "tuneloop.pipeline.searching.trial:perform_trial"
"""What other processes call."""

_MARK = ".search"
"""In a step folder: the study whose trial made it."""
BEFORE: tuple[Step, ...] = (load.STEP, check.STEP, split.STEP, baseline.STEP)
"""The steps that stand before a search; trials take their results where they touch nothing of them."""
_EXPORTED: tuple[Step, ...] = (evaluate.STEP, export.STEP, verify.STEP)


class _Pruned(Exception):  # noqa: N818
    """The validation curve says that this trial is not worth its end."""


def perform_trial(argument: Mapping[str, Any], report: Any) -> dict[str, Any]:  # noqa: ARG001
    """A trial in a process of its own; see `run_trial`.

    Raises:
        RunError: This machine does not see the run's files.
    """
    root = Path(argument["root"])
    if not run_folder(root / ".tuneloop", argument["run"]).is_dir():
        raise RunError(
            f"the machine {socket.gethostname()!r} does not see {root}, where the run's files are: trials on several "
            "machines need the project's folder on a disk they share, and a database they reach "
            "(TUNELOOP_DATABASE_URL)"
        )
    return run_trial(scope_of(root, argument["run"]), argument)


def scope_of(root: Path, run: str) -> Scope:
    """What a run works with, in another process that sees its folder.

    Args:
        root: The project's folder.
        run: The run's id.
    """
    folder = run_folder(root / ".tuneloop", run)
    current = root / PROJECT_FILE
    plugins = project_plugins(current if current.exists() else folder / PROJECT)
    project = parse_project((folder / PROJECT).read_bytes(), current, plugins)
    return Scope(project, plugins, read_request(folder))


def run_trial(scope: Scope, argument: Mapping[str, Any]) -> dict[str, Any]:
    """Do a trial; what it did stands in the study, whose owner is told the result.

    Args:
        scope: Of the run, without the values of the trial; told each record of the training.
        argument: `changes` that hold for all trials, `values` of this one, the results of the steps `before`, the
            `metric`, and of the study: its `url`, `name`, direction (`maximize`) and way to `prune`, and the `trial`.

    Returns:
        `state` (`complete`, `pruned` or `failed`), `value` of the metric at the best epoch, `epochs` done, `seconds`,
        `reason` of a failure, and `folders`: the step folders it made that nothing else needs.
    """
    begun = time.monotonic()
    watch = _Watch(argument)
    made: list[str] = []
    try:
        base = variant(scope, argument["changes"])
        here = variant(base, argument["values"])
        done = redo(
            (*BEFORE, tune.STEP), base, here, _results(argument["before"]), _Doing(watch, made, argument["name"])
        )
        if any(path.startswith("export") for path in argument["values"]):
            # All of them: what a trial is judged by must not depend on which option it drew.
            done = redo(_EXPORTED, here, here, done, _Doing(watch, made, argument["name"]))
        result = {"state": "complete", "value": _value(done, argument["metric"]), "reason": ""}
    except _Pruned:
        result = {"state": "pruned", "value": None, "reason": ""}
    except Exception as error:
        # Options that do not go together, or too much memory for a batch: a finding about this trial alone.
        result = {"state": "failed", "value": None, "reason": str(error) or type(error).__name__}
    finally:
        watch.close()
    return {**result, "epochs": watch.epochs, "seconds": time.monotonic() - begun, "folders": made}


class _Watch:
    """Reports the validation curve to the study, and ends the trial where the study says so."""

    def __init__(self, argument: Mapping[str, Any]) -> None:
        self.metric, self.epochs = argument["metric"], 0
        self._argument = argument
        self._study: Any = None
        self._trial: Any = None

    def __call__(self, record: Mapping[str, float]) -> None:
        self.epochs += 1
        if self._argument["prune"] == "none" or self.metric not in record:
            return
        if self._trial is None:
            found = self._argument
            self._study = open_study(
                found["url"], found["name"], Search({}, prune=found["prune"]), maximize=found["maximize"]
            )
            self._trial = import_optuna().trial.Trial(self._study, found["trial"])
        self._trial.report(float(record[self.metric]), self.epochs)
        if self._trial.should_prune():
            raise _Pruned

    def close(self) -> None:
        """Close the study."""
        if self._study is not None:
            close_study(self._study)


class _Doing:
    """Does the steps of a trial, and notes the folders that it made from `tune` on."""

    def __init__(self, watch: _Watch, made: list[str], study: str) -> None:
        self._watch, self._made, self._study = watch, made, study

    def __call__(self, step: Step, scope: Scope, done: Mapping[str, StepResult]) -> StepResult:
        if step.name == "load":
            step = _once(step, done)
        folder = step_folder(scope, step.name, fingerprint(step, scope, done))
        if step not in BEFORE and step.name != "load" and self._owns(step, folder):
            self._made.append(folder.name)
        tell = scope.listen

        def listen(event: Progress) -> None:
            tell(event)
            if event.kind == "record" and event.step == "tune":
                self._watch(event.data)

        return perform(step, replace(scope, listen=listen), done)

    def _owns(self, step: Step, folder: Path) -> bool:
        """Whether this search makes the folder, or made it in an attempt that was killed."""
        mark = folder / _MARK
        if load_result(step.name, folder) is None:
            write_atomic(mark, self._study.encode())
        return mark.exists() and mark.read_text(encoding="utf-8") == self._study


def _once(step: Step, done: Mapping[str, StepResult]) -> Step:
    """`load` for one search: the source is read once for each set of transforms, and then stays as it was."""
    content = done["load"].fingerprint
    return replace(step, cached=True, inputs=lambda scope: {**step.inputs(scope), "search on": content})


def _results(before: Mapping[str, Any]) -> dict[str, StepResult]:
    return {
        name: StepResult(name, found["fingerprint"], Path(found["folder"]), found["output"], 0.0, reused=True)
        for name, found in before.items()
    }


def _value(done: Mapping[str, StepResult], metric: str) -> float:
    """The metric on the validation rows: of the best epoch, or of the variant that would be served."""
    if "verify" in done:
        output = done["verify"].output
        found = output["variants"][output["served"]]["metrics"]
        if metric not in found:
            raise RunError(f"metric {metric!r} has no value on the validation rows")
        return float(found[metric])
    output = done["tune"].output
    best = [record for record in output["history"] if record.get("epoch") == output["best_epoch"] and metric in record]
    if not best:
        raise RunError(f"the strategy's history holds no {metric!r} of its best epoch {output['best_epoch']:g}")
    return float(best[-1][metric])

"""`search`: options are looked for before tuning; trials are judged on the validation rows, never on test or golden.

The best trial's options hold for all that follows. Its training is among the finished steps, so that `tune` takes it.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tuneloop.api import ConfigError, Launcher, Outcome
from tuneloop.artifact import write_atomic, write_json
from tuneloop.config.search import Search
from tuneloop.pipeline.evaluating.energy import measured
from tuneloop.pipeline.evaluating.scoring import searched_metric
from tuneloop.pipeline.runs.progress import Progress, ignore
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, options
from tuneloop.pipeline.searching import own, processes
from tuneloop.pipeline.searching.importance import importances
from tuneloop.pipeline.searching.record import TrialRow, as_csv, best_of
from tuneloop.pipeline.searching.storage import storage_url
from tuneloop.pipeline.searching.study import Driver, Plan, RunMany
from tuneloop.pipeline.searching.trial import BEFORE, ENTRY, run_trial
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import tune

TABLE = "trials.csv"
_STUDY, _LOG = "study.json", "trials.log"


def _inputs(scope: Scope) -> dict[str, Any]:
    search = _search(scope)
    said = asdict(search)
    # Neither where trials run nor how long they may take changes what they find.
    del said["parallel"], said["timeout"]
    return {
        "search": said,
        "metric": searched_metric(scope.project),
        "tune": tune.STEP.inputs(scope),
        "export": options(scope.project.export.options) if _exports(search) else None,
        "reused": _reused(scope),
    }


def run(context: StepContext) -> dict[str, Any]:
    """Try options, or take those found for the champion.

    Raises:
        RunError: No trial succeeded.
    """
    scope, search = context.scope, _search(context.scope)
    reused = _reused(scope)
    if reused is not None:
        return {"found": reused, "taken": "champion", "trials": [], "summary": {"of the champion": _shown(reused)}}
    metric = searched_metric(scope.project)
    assert metric is not None
    # Not of the scorer: perplexity of a text that is written is none of its metrics.
    maximize = scope.plugins.get("metric", metric).maximize
    with Driver(_plan(context, search, metric, maximize=maximize)) as driver:
        rows = driver.run(_run_many(context, search))
        importance = importances(driver.study)
    best = best_of(rows, maximize=maximize)
    assert best is not None
    first = own.own_values(scope.project, search)
    start = next((row for row in rows if row.values == first and row.state == "complete"), None)
    write_atomic(context.folder / TABLE, as_csv(rows, metric).encode())
    return {
        "found": best.values,
        "taken": "search",
        "metric": metric,
        "maximize": maximize,
        "best": best.number,
        "own": None if start is None else start.number,
        "trials": [row.as_json() for row in rows],
        "importance": importance,
        "summary": {
            "trials": len(rows),
            metric: best.value,
            **({"own options": start.value} if start is not None else {}),
            **best.values,
        },
    }


def _search(scope: Scope) -> Search:
    search = scope.project.search
    assert search is not None
    return search


def _exports(search: Search) -> bool:
    return any(path.startswith("export") for path in search.space)


def _reused(scope: Scope) -> dict[str, Any] | None:
    """What a retraining takes from its champion; None where it searches: also if the space has other paths now."""
    search, chosen = _search(scope), scope.request.chosen
    if search.on_retrain == "search" or chosen is None:
        return None
    found = {path: value for path, value in chosen.items() if path in search.space}
    if not found:
        return None
    try:
        variant(scope, found)
    except ConfigError:
        return None
    return found


def _plan(context: StepContext, search: Search, metric: str, *, maximize: bool) -> Plan:
    scope = context.scope

    def applies(values: dict[str, Any], path: str, value: Any) -> bool:
        try:
            variant(scope, {**values, path: value})
        except ConfigError:
            return False
        return True

    def told(row: TrialRow) -> None:
        value = {} if row.value is None else {metric: row.value}
        scope.listen(
            Progress("record", "search", data={"trial": row.number, "state": row.state, **value, **row.values})
        )

    return Plan(
        search=search,
        name=_study_name(context),
        url=storage_url(scope.project.state),
        metric=metric,
        maximize=maximize,
        own=own.own_values(scope.project, search),
        argument={
            "root": str(scope.project.root),
            "run": scope.request.run,
            # Trials beside each other train in one process each; and only what wins goes to the project's storage.
            "changes": {**scope.changes, "storage": None, **({"launch": None} if search.parallel > 1 else {})},
            "before": {
                step.name: {
                    "fingerprint": context.done[step.name].fingerprint,
                    "folder": str(context.done[step.name].folder),
                    "output": context.done[step.name].output,
                }
                for step in BEFORE
            },
        },
        check=lambda values: variant(scope, values),
        applies=applies,
        told=told,
        drop=lambda names: _drop(scope.project.state / "steps", names),
        alone=search.parallel == 1 or scope.project.launch is None,
    )


def _study_name(context: StepContext) -> str:
    """A name that no other search has, not even one of another folder in the same database."""
    path = context.folder / _STUDY
    if not path.exists():
        write_json(path, {"name": f"{context.project.name}-{context.folder.name}-{secrets.token_hex(4)}"})
    return str(json.loads(path.read_bytes())["name"])


def _run_many(context: StepContext, search: Search) -> RunMany:
    """Where trials run: here one after the other; several at a time where the project's launcher can, or here."""
    scope, launch = context.scope, context.project.launch
    if search.parallel == 1:
        return lambda arguments, _: _one_by_one(scope, arguments)
    if launch is not None:
        launcher: Launcher = context.plugins.create("launcher", launch.launcher, launch.options)
        if type(launcher).run_many is not Launcher.run_many:
            return lambda arguments, parallel: launcher.run_many(ENTRY, arguments, parallel)
    return lambda arguments, parallel: processes.run_many(ENTRY, arguments, parallel, context.folder / _LOG)


def _one_by_one(scope: Scope, arguments: Iterable[Mapping[str, Any]]) -> Iterator[Outcome]:
    for position, argument in enumerate(arguments):
        yield Outcome(position, run_trial(replace(scope, listen=ignore), argument))


def _drop(steps: Path, names: list[str]) -> None:
    """Remove what a trial wrote that is not the best."""
    for name in names:
        folder = steps / name
        if folder.is_dir():
            # Out of the way in one move: what is half removed must not look like a whole step.
            going = steps / f".removed-search-{name}"
            folder.rename(going)
            shutil.rmtree(going)


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{path} {value}" for path, value in values.items())


STEP = Step("search", 1, ("load", "check", "split", "baseline"), _inputs, measured(run), shared=(TABLE,))

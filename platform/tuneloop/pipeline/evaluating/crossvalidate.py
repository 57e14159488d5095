"""`crossvalidate`: the same training k more times, each tested on another part of the rows: how far figures scatter.

The model that is served is trained once, on the project's own split. Golden rows are in no part.
"""

from __future__ import annotations

import shutil
import statistics
from dataclasses import replace
from typing import Any

from tuneloop.pipeline.data import split
from tuneloop.pipeline.evaluating import evaluate
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.runs.progress import Progress
from tuneloop.pipeline.runs.step import Scope, Step, StepContext
from tuneloop.pipeline.tuning import baseline, tune

_EACH = (split.STEP, baseline.STEP, tune.STEP, evaluate.STEP)


def _inputs(scope: Scope) -> dict[str, Any]:
    return {"folds": scope.project.evaluate.folds}


def run(context: StepContext) -> dict[str, Any]:
    """Train and test on each part; what a killed attempt finished is taken."""
    count = context.project.evaluate.folds
    assert count is not None
    scores, rows, folders = [], [], []
    for number in range(count):
        scope = _folded(context.scope, number, count)
        done = {name: context.done[name] for name in ("load", "check")}
        for step in _EACH:
            # Each is of use on this machine, in this run alone.
            done[step.name] = perform(replace(step, shared=()), scope, done)
            folders.append(done[step.name].folder)
        scores.append(done["evaluate"].output["metrics"]["test"])
        rows.append(done["split"].output["rows"]["test"])
    metrics = {
        name: {
            "mean": statistics.fmean(score[name] for score in scores),
            "spread": statistics.stdev(score[name] for score in scores),
            "values": [score[name] for score in scores],
        }
        for name in scores[0]
    }
    for folder in set(folders) - {result.folder for result in context.done.values()}:
        shutil.rmtree(folder, ignore_errors=True)
    deciding = metrics[Scorer(context.project, context.plugins).deciding]
    return {
        "rows": rows,
        "metrics": metrics,
        "summary": {"folds": count, "mean": deciding["mean"], "spread": deciding["spread"]},
    }


def _folded(scope: Scope, number: int, count: int) -> Scope:
    """The run with another split. Nothing of the champion enters: it has seen the rows that test here."""
    data = scope.project.data
    cut = replace(data, split=replace(data.split, fold=(number, count)))

    def listen(event: Progress) -> None:
        if event.kind == "record":
            scope.listen(replace(event, step=STEP.name, data={"fold": number + 1, **event.data}))

    return replace(
        scope,
        project=replace(scope.project, data=cut),
        request=scope.request.model_copy(update={"parent": None}),
        listen=listen,
    )


STEP = Step("crossvalidate", 1, ("load", "check", "split", "baseline", "tune", "evaluate"), _inputs, run)

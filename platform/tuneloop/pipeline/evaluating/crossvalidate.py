"""`crossvalidate`: the same training k more times, each tested on another part of the rows: how far figures scatter.

The model that is served is trained once, on the project's own split. Golden rows are in no part.
"""

from __future__ import annotations

import logging
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tuneloop.api import UndefinedMetricError
from tuneloop.pipeline.data import split
from tuneloop.pipeline.evaluating import evaluate
from tuneloop.pipeline.evaluating.energy import measured
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.runs.progress import Progress
from tuneloop.pipeline.runs.step import Scope, Step, StepContext
from tuneloop.pipeline.tuning import baseline, tune

logger = logging.getLogger(__name__)

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
        try:
            for step in _EACH:
                # Each is of use on this machine, in this run alone.
                done[step.name] = perform(replace(step, shared=()), scope, done)
                folders.append(done[step.name].folder)
            scores.append(done["evaluate"].output["metrics"]["test"])
        except UndefinedMetricError as error:
            # The metric that picks an epoch: without it there is no training to speak of.
            logger.warning("part %d of %d of the cross-validation is left out: %s", number + 1, count, error)
            scores.append({})
        rows.append(done["split"].output["rows"]["test"])
    scorer = Scorer(context.project, context.plugins)
    metrics = {name: found for name in scorer.metrics if (found := _over(name, scores)) is not None}
    for folder in set(folders) - {result.folder for result in context.done.values()}:
        shutil.rmtree(folder, ignore_errors=True)
    summary: dict[str, Any] = {"folds": count}
    if (deciding := metrics.get(scorer.deciding)) is not None:
        known = count - deciding["values"].count(None)
        summary |= {"mean": deciding["mean"], "spread": deciding["spread"]}
        summary |= {"with a value": known} if known < count else {}
    return {"rows": rows, "metrics": metrics, "summary": summary}


def _over(name: str, scores: Sequence[dict[str, float]]) -> dict[str, Any] | None:
    """Mean and spread over the parts in which a metric has a value; None where these are fewer than two."""
    values = [score.get(name) for score in scores]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        logger.warning("metric %r is left out of the cross-validation: %d parts have a value", name, len(known))
        return None
    return {"mean": statistics.fmean(known), "spread": statistics.stdev(known), "values": values}


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


STEP = Step("crossvalidate", 1, ("load", "check", "split", "baseline", "tune", "evaluate"), _inputs, measured(run))

"""`candidates`: base models are compared by a probe and by their cost, before one of them is tuned."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import Any

from tuneloop.api import RunError
from tuneloop.config.search import Candidates
from tuneloop.pipeline.choosing import judged
from tuneloop.pipeline.choosing.choice import Candidate, as_table, called, choose, in_words, verdict
from tuneloop.pipeline.choosing.cost import measure
from tuneloop.pipeline.evaluating.energy import measured
from tuneloop.pipeline.evaluating.scoring import deciding_metric
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.progress import Progress
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, StepResult
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import baseline, tune


def _inputs(scope: Scope) -> dict[str, Any]:
    found = _candidates(scope)
    models = [variant(scope, {"model": dict(model)}) for model in found.models]
    return {
        "models": [baseline.STEP.inputs(one) for one in models],
        "limits": asdict(found.limits),
        "metric": deciding_metric(scope.project),
        "tune": tune.STEP.inputs(models[0]),
        "threads": scope.project.serve.threads,
        "reused": _reused(scope),
    }


def run(context: StepContext) -> dict[str, Any]:
    """Compare the candidates, or keep the one that the champion was made from.

    Raises:
        RunError: No candidate keeps the limits; shows what each reaches and costs.
    """
    scope, wanted = context.scope, _candidates(context.scope)
    reused = _reused(scope)
    if reused is not None:
        name = in_words(called([reused])[0])
        return {"found": {"model": reused}, "taken": "champion", "lines": [], "summary": {"of the champion": name}}
    how = judged.judging(context, wanted.models)
    metric, maximize = how.metric, how.maximize
    split = judged.judging_split(context, how.rows)
    compared: list[Candidate] = []
    names = called(wanted.models)
    for place, model in enumerate(wanted.models):
        compared.append(_compare(context, dict(model), place, split, how))
        _tell(scope, compared[-1], names[place], metric)
    best = choose(compared, wanted.limits, maximize=maximize)
    if best is None:
        table = as_table(compared, wanted.limits, metric)
        raise RunError(
            "none of the candidates can be taken: raise a limit in model.limits, or name smaller models\n" + table
        )
    chosen = compared[best]
    return {
        "found": {"model": dict(chosen.model)},
        "taken": "candidates",
        "metric": metric,
        "maximize": maximize,
        "probe": how.how,
        "table": as_table(compared, wanted.limits, metric, best),
        "lines": [
            {
                **asdict(one),
                "options": names[place][1],
                "verdict": verdict(one, wanted.limits),
                "chosen": place == best,
            }
            for place, one in enumerate(compared)
        ],
        "summary": {"chosen": in_words(names[best]), "of": len(compared), metric: chosen.score},
    }


def _candidates(scope: Scope) -> Candidates:
    found = scope.project.candidates
    assert found is not None
    return found


def _reused(scope: Scope) -> dict[str, Any] | None:
    """The champion's base model in a retraining, which goes on from its weights; None where it is no candidate."""
    model = (scope.request.chosen or {}).get("model")
    return model if model in _candidates(scope).models else None


def _compare(
    context: StepContext, model: dict[str, Any], place: int, split: StepResult, how: judged.Judging
) -> Candidate:
    folder = fresh(context.folder / str(place))
    try:
        scope = variant(context.scope, {"model": model})
        mine = judged.prepared(context, scope, folder, split)
        metrics = judged.score(mine, how)
        return Candidate(model, metrics[how.metric], metrics, measure(mine))
    except Exception as error:
        # A checkpoint that cannot be read, or a model that does not fit the data, leaves the others to choose from.
        return Candidate(model, failure=" ".join((str(error) or type(error).__name__).split()))
    finally:
        # Encoded rows and untuned weights: the one that is chosen is encoded anew, on all rows.
        shutil.rmtree(folder)


def _tell(scope: Scope, one: Candidate, name: tuple[str, str], metric: str) -> None:
    figures: dict[str, Any] = {"failed": one.failure} if one.failure else {metric: one.score}
    cost = asdict(one.cost) if one.cost else {}
    data = {"base": in_words(name), **figures, **cost}
    scope.listen(Progress("record", "candidates", data=data))


STEP = Step("candidates", 2, ("load", "check", "split"), _inputs, measured(run))

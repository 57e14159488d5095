"""`gate`: may the challenger become champion? Thresholds on the golden holdout, and no worse than the champion.

Where labelled production rows were mixed in, the part of them that was never trained on is asked too: there the
challenger must be better than the champion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from tuneloop.api import Predictions
from tuneloop.artifact import Artifact
from tuneloop.pipeline import parts
from tuneloop.pipeline.assign import FEEDBACK_TEST
from tuneloop.pipeline.comparison import Comparison, compare
from tuneloop.pipeline.profile import open_artifact
from tuneloop.pipeline.rows import model_rows, truths
from tuneloop.pipeline.scoring import Scorer, judge
from tuneloop.pipeline.step import Scope, Step, StepContext
from tuneloop.pipeline.verify import run_in_batches
from tuneloop.registry import CHAMPION, Registry
from tuneloop.serving.predictor import Predictor

GOLDEN = "golden"


def _inputs(scope: Scope) -> dict[str, Any]:
    gate = scope.project.gate
    champion = _champion(scope)
    return {
        "require": dict(gate.require),
        "champion": champion.sha256 if champion else None,
        "metric": gate.champion_metric,
        "margin": gate.champion_margin,
        "metrics": list(Scorer(scope.project, scope.plugins).metrics),
    }


def run(context: StepContext) -> dict[str, Any]:
    """Judge, and record every check with its figures; a refusal is a result, not an error."""
    gate, scorer = context.project.gate, Scorer(context.project, context.plugins)
    challenger = open_artifact(context)
    champion = _champion(context.scope)
    if champion is not None and champion.sha256 == challenger.sha256:
        # The same model again: there is nothing to compare.
        champion = None
    judged = {GOLDEN: _judge(context, challenger, GOLDEN)}
    metrics = {GOLDEN: scorer.score(*judged[GOLDEN])}
    checks = [_threshold(scorer, name, wanted, metrics[GOLDEN][name]) for name, wanted in gate.require.items()]
    comparisons: dict[str, Any] = {}
    if parts.has_split(context, FEEDBACK_TEST):
        judged[FEEDBACK_TEST] = _judge(context, challenger, FEEDBACK_TEST)
        metrics[FEEDBACK_TEST] = scorer.score(*judged[FEEDBACK_TEST])
    if champion is not None and gate.champion_metric is not None:
        for split, mine in judged.items():
            found = compare(scorer, gate.champion_metric, _judge(context, champion, split), mine)
            comparisons[split] = {name: getattr(found, name) for name in Comparison.__slots__}
            checks.append(_against(context, scorer, split, found))
    passed = all(check["passed"] for check in checks)
    return {
        "passed": passed,
        "checks": checks,
        "metrics": metrics,
        "comparisons": comparisons,
        "summary": {
            "gate": "passed" if passed else "refused",
            **{f"{split} {scorer.deciding}": found[scorer.deciding] for split, found in metrics.items()},
        },
    }


def _champion(scope: Scope) -> Artifact | None:
    registry = Registry(scope.project)
    if registry.find(CHAMPION) is None:
        return None
    return registry.fetch(CHAMPION)


def _judge(context: StepContext, artifact: Artifact, split: str) -> tuple[Predictions, NDArray[Any]]:
    predictor = Predictor.open(artifact, context.plugins, threads=2)
    rows = parts.split_rows(context, split)
    columns = parts.columns_of(context, rows)
    checked = predictor.preprocessor.check(model_rows(rows, columns))
    # Row by row, as most requests come: a quantised graph scales by batch.
    outputs = run_in_batches(predictor, predictor.preprocessor.encode(checked), len(checked), 1)
    return judge(predictor.task, outputs, truths(rows, columns))


def _threshold(scorer: Scorer, name: str, wanted: float, found: float) -> dict[str, Any]:
    more = scorer.maximize(name)
    passed = found >= wanted if more else found <= wanted
    bound = "at least" if more else "at most"
    text = f"{name} on the golden holdout is {found:.4f}; it must be {bound} {wanted:g}"
    return {"name": f"{GOLDEN} {name}", "passed": passed, "text": text}


def _against(context: StepContext, scorer: Scorer, split: str, found: Comparison) -> dict[str, Any]:
    gate = context.project.gate
    if split == GOLDEN:
        passed = found.gain >= -gate.champion_margin
        text = f"against the champion on the golden holdout: {found}; it may lose {gate.champion_margin:g}"
    else:
        passed = found.gain > 0 or _meets(scorer, gate.require, found)
        text = f"against the champion on new labelled rows: {found}; it must be better"
    return {"name": f"champion {split}", "passed": passed, "text": text}


def _meets(scorer: Scorer, require: Mapping[str, float], found: Comparison) -> bool:
    """Whether both already meet the threshold: a champion that is good there need not be beaten."""
    wanted = require.get(found.metric)
    if wanted is None:
        return False
    return found.challenger >= wanted if scorer.maximize(found.metric) else found.challenger <= wanted


STEP = Step("gate", 1, ("split", "baseline", "profile"), _inputs, run)

"""`gate`: may the challenger become champion? Thresholds on the golden holdout, and no worse than the champion.

Where labelled production rows were mixed in, the part of them that was never trained on is asked too: there the
challenger must be better than the champion, by estimate, or where the project asks for it, proven.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from tuneloop.api import DataError
from tuneloop.artifact import Artifact
from tuneloop.pipeline.comparing.comparison import Comparison, Judged, compare, compare_rights, rights, take
from tuneloop.pipeline.comparing.cuts import cut
from tuneloop.pipeline.comparing.proof import Check, Question, better, doubtful_labels, not_worse, slices_hold
from tuneloop.pipeline.data.assign import FEEDBACK_TEST
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.delivering.parity import run_in_batches
from tuneloop.pipeline.delivering.profile import open_artifact
from tuneloop.pipeline.evaluating.figures import interval_json, with_intervals
from tuneloop.pipeline.evaluating.scoring import Scorer, judge
from tuneloop.pipeline.evaluating.written import judge_served
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import Scope, Step, StepContext
from tuneloop.registry import CHAMPION, Registry
from tuneloop.serving.predictor import Predictor
from tuneloop.tasks.written import writes

GOLDEN = "golden"
_PLACES = {GOLDEN: "the golden holdout", FEEDBACK_TEST: "new labelled rows"}


def _inputs(scope: Scope) -> dict[str, Any]:
    gate = scope.project.gate
    champion = _champion(scope)
    return {
        "require": dict(gate.require),
        "champion": champion.sha256 if champion else None,
        "metric": gate.champion_metric,
        "margin": gate.champion_margin,
        "proof": asdict(gate.proof),
        "noise": scope.project.retrain.max_label_noise,
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
    splits = (GOLDEN, *([FEEDBACK_TEST] if parts.has_split(context, FEEDBACK_TEST) else ()))
    judged = {split: _judge(context, challenger, split) for split in splits}
    metrics = {split: scorer.score(*found) for split, found in judged.items()}
    checks = [_threshold(scorer, name, wanted, metrics[GOLDEN].get(name)) for name, wanted in gate.require.items()]
    against: dict[str, Any] = {"against": None, "attempt": None, "comparisons": {}, "slices": {}}
    if champion is not None and gate.champion_metric is not None:
        # The same challenger judged again is no new attempt, so that the number needs no place among the inputs.
        attempt = Registry(context.project).attempt(champion.sha256, challenger.sha256)
        question = Question(gate.proof, gate.champion_margin, attempt)
        before = {split: _judge(context, champion, split) for split in splits}
        compared: dict[str, Comparison] = {}
        for split in splits:
            try:
                compared[split] = compare(scorer, gate.champion_metric, before[split], judged[split])
            except DataError as error:
                text = f"against the champion on {_PLACES[split]}: these rows cannot compare them: {error}"
                checks.append(Check(f"champion {_PLACES[split]}", False, text))
        cuts, left_out = _slices(context, scorer, before[GOLDEN], judged[GOLDEN])
        checks += _against(scorer, gate.require, question, compared) if GOLDEN in compared else []
        if cuts:
            checks.append(slices_hold(question, cuts, left_out))
        checks += _labels(context, before, judged)
        against = {
            "against": champion.sha256,
            "attempt": attempt,
            "comparisons": {split: found.as_json() for split, found in compared.items()},
            "slices": {name: found.as_json() for name, found in cuts.items()},
        }
    passed = all(check.passed for check in checks)
    return {
        "passed": passed,
        "checks": [check.as_json() for check in checks],
        "metrics": metrics,
        "figures": {split: interval_json(with_intervals(scorer, found)) for split, found in judged.items()},
        **against,
        "summary": {
            "gate": "passed" if passed else "refused",
            **scorer.told(metrics),
        },
    }


def _champion(scope: Scope) -> Artifact | None:
    registry = Registry(scope.project)
    if registry.find(CHAMPION) is None:
        return None
    return registry.fetch(CHAMPION)


def _judge(context: StepContext, artifact: Artifact, split: str) -> Judged:
    predictor = Predictor.open(artifact, context.plugins, threads=2)
    rows = parts.split_rows(context, split)
    columns = parts.columns_of(context, rows)
    checked = predictor.preprocessor.check(model_rows(rows, columns))
    if writes(predictor.task):
        return judge_served(predictor, checked, truths(rows, columns), None)
    # Row by row, as most requests come: a quantised graph scales by batch.
    outputs = run_in_batches(predictor, predictor.preprocessor.encode(checked), len(checked), 1)
    return judge(predictor.task, outputs, truths(rows, columns), checked)


def _threshold(scorer: Scorer, name: str, wanted: float, found: float | None) -> Check:
    more = scorer.maximize(name)
    bound = "at least" if more else "at most"
    if found is None:
        text = f"{name} has no value on the golden holdout; it must be {bound} {wanted:g}"
        return Check(f"{GOLDEN} {name}", False, text)
    passed = found >= wanted if more else found <= wanted
    return Check(
        f"{GOLDEN} {name}", passed, f"{name} on the golden holdout is {found:.4f}; it must be {bound} {wanted:g}"
    )


def _against(
    scorer: Scorer, require: Mapping[str, float], question: Question, compared: Mapping[str, Comparison]
) -> list[Check]:
    wanted = question.proof.superiority
    checks = [not_worse(question, _PLACES[GOLDEN], compared[GOLDEN])]
    if wanted == "golden":
        checks.append(better(question, _PLACES[GOLDEN], compared[GOLDEN]))
    recent = compared.get(FEEDBACK_TEST)
    if recent is not None and wanted == "recent":
        checks.append(better(question, _PLACES[FEEDBACK_TEST], recent))
    elif recent is not None:
        passed = recent.gain > 0 or _meets(scorer, require, recent)
        text = f"against the champion on {_PLACES[FEEDBACK_TEST]}: {recent}; it must be better"
        checks.append(Check(f"champion {FEEDBACK_TEST}", passed, text))
    elif wanted == "recent":
        text = "the challenger must be proven better on new labelled rows, and this run has none; retrain with feedback"
        checks.append(Check("better new labelled rows", False, text))
    return checks


def _meets(scorer: Scorer, require: Mapping[str, float], found: Comparison) -> bool:
    """Whether the challenger meets the threshold anyway: a champion that is good there need not be beaten."""
    wanted = require.get(found.metric)
    if wanted is None:
        return False
    return found.challenger >= wanted if scorer.maximize(found.metric) else found.challenger <= wanted


def _slices(
    context: StepContext, scorer: Scorer, champion: Judged, challenger: Judged
) -> tuple[dict[str, Comparison], int]:
    """The comparison on each slice of the golden holdout, and the number of rows in slices that are too small.

    Classes are compared by their right answers, also where the metric is another: it would jump on so few rows.
    """
    proof, metric = context.project.gate.proof, str(context.project.gate.champion_metric)
    rows = parts.split_rows(context, GOLDEN)
    old, new = rights(champion), rights(challenger)
    target = parts.columns_of(context, rows).target
    wanted = proof.slices if proof.slices is not None else (target,) if old is not None and target else ()
    found: dict[str, Comparison] = {}
    left_out = 0
    for column in wanted:
        cuts, small = cut(column, list(rows[column]), proof.min_slice_rows)
        left_out += small
        for one in cuts:
            if old is not None and new is not None:
                found[one.name] = compare_rights("right answers", old[one.rows], new[one.rows])
                continue
            try:
                found[one.name] = compare(scorer, metric, take(champion, one.rows), take(challenger, one.rows))
            except DataError:
                # The metric has no value here, such as one of ranks where all rows are of one class.
                left_out += len(one.rows)
    return found, left_out


def _labels(context: StepContext, champion: Mapping[str, Judged], challenger: Mapping[str, Judged]) -> list[Check]:
    most = context.project.retrain.max_label_noise
    if FEEDBACK_TEST not in challenger or most >= 1 or rights(challenger[GOLDEN]) is None:
        return []
    alike = {split: _wrong_alike(champion[split], challenger[split]) for split in (FEEDBACK_TEST, GOLDEN)}
    return [doubtful_labels(alike[FEEDBACK_TEST], alike[GOLDEN], most)]


def _wrong_alike(champion: Judged, challenger: Judged) -> list[bool]:
    """For each row, whether both give the same wrong answer."""
    answers = [np.array(judged[0].labels, dtype=object)[judged[0].values] for judged in (champion, challenger)]
    wrong = challenger[0].values != challenger[1]
    return [bool(one) for one in (answers[0] == answers[1]) & wrong]


STEP = Step("gate", 3, ("split", "baseline", "profile"), _inputs, run)

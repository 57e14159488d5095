"""A served model's answers with the temperature that its validation split asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Arrays, SignalBatch, Task
from tuneloop.artifact import Temperature
from tuneloop.pipeline.evaluating.reliability import Reliability, reliability
from tuneloop.pipeline.evaluating.scoring import judge
from tuneloop.pipeline.evaluating.temperature import Fitted, decisions, fit_temperature, labelled
from tuneloop.serving.predictor import Predictor
from tuneloop.tasks.temperature import decides_apart, tempered, tempers

Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What calibration did: the temperature with its reason, and confidence against accuracy on test, both ways."""

    temperature: Temperature
    before: Reliability
    after: Reliability


def calibrate(
    predictor: Predictor, batches: Mapping[str, SignalBatch], values: Mapping[str, Values], *, wanted: bool
) -> tuple[dict[str, SignalBatch], Calibrated | None]:
    """Fit the temperature on `validation`, set it on the predictor, and give its answers anew.

    Args:
        predictor: As it will serve, still without a temperature.
        batches: Its answers to `validation` and `test`.
        values: The right answers to them.
        wanted: Whether a temperature may be used; reliability is measured anyway.

    Returns:
        The batches as the predictor answers now, and what was done; None where a task has no confidence of this kind.
    """
    task = predictor.task
    first = batches["validation"].outputs.get("logits")
    if not tempers(task) or first is None or first.shape[-1] != len(task.output_names):
        return dict(batches), None
    fitted = _fitted(task, first, task.targets(values["validation"]))
    if not wanted:
        fitted = Fitted(1.0, fitted.rows, "left at 1: the project asks for no calibration (evaluate.calibrate)")
    predictor.temperature = fitted.temperature
    before = _reliability(task, batches["test"].outputs, values["test"])
    after = before
    answered = dict(batches)
    if fitted.temperature != 1.0:
        answered = {name: _again(task, batch, fitted.temperature) for name, batch in batches.items()}
        after = _reliability(task, answered["test"].outputs, values["test"])
    temperature = Temperature(
        value=fitted.temperature,
        rows=fitted.rows,
        reason=fitted.reason,
        error_before=before.error,
        error_after=after.error,
    )
    return answered, Calibrated(temperature, before, after)


def _fitted(task: Task, logits: NDArray[Any], targets: NDArray[Any]) -> Fitted:
    if decides_apart(task):
        return fit_temperature(*decisions(logits, targets), unit="decisions on labels")
    return fit_temperature(*labelled(logits, targets))


def _again(task: Task, batch: SignalBatch, temperature: float) -> SignalBatch:
    outputs = tempered(batch.outputs, temperature, apart=decides_apart(task))
    return replace(batch, outputs=outputs, answers=task.answers_to(batch.rows, outputs))


def _reliability(task: Task, outputs: Arrays, values: Values) -> Reliability:
    predictions, references = judge(task, outputs, values)
    assert predictions.scores is not None
    if decides_apart(task):
        # As sure of a label that does not apply as of one that does; answers are right or wrong label by label.
        sure, right = np.maximum(predictions.scores, 1 - predictions.scores), predictions.values == references
        return reliability(sure.reshape(-1), right.reshape(-1))
    here = references != NO_PLACE
    return reliability(predictions.scores.max(axis=-1)[here], np.asarray(predictions.values == references)[here])

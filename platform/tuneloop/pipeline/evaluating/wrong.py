"""How wrong each answer is: what error analysis counts, whatever the kind of answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Metric, Predictions
from tuneloop.pipeline.comparing.comparison import Judged, take

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wrongness:
    """The errors of rows.

    Attributes:
        values: `float64 [n]`: 0 or 1 where an answer is right or wrong, the share of wrong words or labels where a row
            has many, the absolute error where it is a number; of a text, what a metric misses in it.
        kind: What they are, in words.
        confidence: Of each answer, `float64 [n]`, 0 to 1; None where answers have none.
    """

    values: Floats
    kind: str
    confidence: Floats | None = None

    @property
    def counted(self) -> bool:
        """Whether a row is right or wrong and nothing between."""
        return self.kind == "share of wrong answers"


def wrongness(judged: Judged, metrics: Sequence[Metric] = ()) -> Wrongness | None:
    """The errors of judged rows; None where an answer is neither right nor near.

    Args:
        judged: Answers and references.
        metrics: The first one that tells texts apart by more than right and wrong says how wrong each text is.
    """
    predictions, references = judged
    values = predictions.values
    if not len(references):
        return None
    if values.dtype == object:
        wrong = [value not in right for value, right in zip(values.tolist(), references.tolist(), strict=True)]
        return _graded(judged, np.array(wrong), metrics)
    if not predictions.labels:
        if values.ndim > 1:
            return _probable(judged, metrics)
        return Wrongness(np.abs(values.astype(np.float64) - references.astype(np.float64)), "mean absolute error")
    if values.ndim == 1:
        wrong_class = (values != references).astype(np.float64)
        return Wrongness(wrong_class, "share of wrong answers", _confidence(predictions))
    here = references != NO_PLACE
    missed = ((values != references) & here).sum(axis=1) / np.maximum(1, here.sum(axis=1))
    return Wrongness(missed.astype(np.float64), "share of wrong labels")


def _graded(judged: Judged, wrong: NDArray[np.bool_], metrics: Sequence[Metric]) -> Wrongness:
    """How wrong texts are: an error as it is, a score by the share of what the right text itself gets that is lost."""
    values = wrong.astype(np.float64)
    predictions, references = take(judged, wrong)
    for metric in metrics if wrong.any() else ():
        found = _of_rows(metric, predictions, references)
        if found is None:
            continue
        kind = f"mean {metric.name} of a row"
        if metric.maximize:
            right = np.empty(len(references), dtype=object)
            right[:] = [one[0] if one else "" for one in references.tolist()]
            best = _of_rows(metric, Predictions(right), references)
            assert best is not None
            found = 1.0 - np.divide(found, best, out=np.zeros_like(found), where=best > 0)
            kind = f"mean share of {metric.name} lost in a row"
        # A row without a value, such as one where nothing was right to say, is wrong as a whole.
        found = np.where(np.isfinite(found), np.maximum(found, 0.0), 1.0)
        if len(np.unique(found)) > 1:
            values[wrong] = found
            return Wrongness(values, kind)
    return Wrongness(values, "share of wrong answers")


def _probable(judged: Judged, metrics: Sequence[Metric]) -> Wrongness | None:
    """How improbable the right texts are to a model of language; no answer is wrong, but some surprise it more."""
    for metric in metrics:
        found = None if metric.maximize else _of_rows(metric, *judged)
        if found is not None:
            return Wrongness(np.where(np.isfinite(found), found, 0.0), f"mean {metric.name} of a row")
    return None


def _of_rows(metric: Metric, predictions: Predictions, references: NDArray[Any]) -> Floats | None:
    """The metric of each row by itself; None where it is not made of sums over rows."""
    parts = metric.parts(predictions, references)
    return None if parts is None else metric.joined(parts)


def _confidence(predictions: Predictions) -> Floats | None:
    scores = predictions.scores
    return None if scores is None or scores.ndim != 2 else scores.max(axis=1).astype(np.float64)

"""How wrong each answer is: what error analysis counts, whatever the kind of answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Predictions
from tuneloop.pipeline.comparing.comparison import Judged

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wrongness:
    """The errors of rows.

    Attributes:
        values: `float64 [n]`: 0 or 1 where an answer is right or wrong, the share of wrong words or labels where a row
            has many, the absolute error where it is a number.
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


def wrongness(judged: Judged) -> Wrongness | None:
    """The errors of judged rows; None where an answer is neither right nor near."""
    predictions, references = judged
    values = predictions.values
    if not len(references):
        return None
    if values.dtype == object:
        wrong = [value not in right for value, right in zip(values.tolist(), references.tolist(), strict=True)]
        return Wrongness(np.array(wrong, np.float64), "share of wrong answers")
    if not predictions.labels:
        if values.ndim > 1:
            return None
        return Wrongness(np.abs(values.astype(np.float64) - references.astype(np.float64)), "mean absolute error")
    if values.ndim == 1:
        wrong_class = (values != references).astype(np.float64)
        return Wrongness(wrong_class, "share of wrong answers", _confidence(predictions))
    here = references != NO_PLACE
    missed = ((values != references) & here).sum(axis=1) / np.maximum(1, here.sum(axis=1))
    return Wrongness(missed.astype(np.float64), "share of wrong labels")


def _confidence(predictions: Predictions) -> Floats | None:
    scores = predictions.scores
    return None if scores is None or scores.ndim != 2 else scores.max(axis=1).astype(np.float64)

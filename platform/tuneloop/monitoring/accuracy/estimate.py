"""Performance without labels, from calibrated confidence: CBPE. An estimate, and never more.

It holds where the calibration still holds: where the world asks other questions, but answers each as before. It cannot
see that the right answers themselves have changed, which is why nothing alarms or retrains by it alone.

The expected confusion matrix adds up probabilities instead of labels: an answer of class `c` with calibrated
probability `p` is `p` true positives and `1 - p` false positives of `c`. After NannyML's documentation,
"Confidence-based Performance Estimation"; equal to its figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_AUC_DIGITS = 5
"""Expected counts are rounded to so many places before the curve is drawn, as NannyML does."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What some answers are expected to be worth.

    Attributes:
        rows: Answers.
        accuracy: Expected share of right ones.
        f1: By class, `float64 [classes]`; 0 where a class is neither answered nor expected.
        roc_auc: Of each class against the rest, `float64 [classes]`; NaN where it cannot be told.
    """

    rows: int
    accuracy: float
    f1: Floats
    roc_auc: Floats

    @property
    def macro_f1(self) -> float:
        """The mean over the classes."""
        return float(self.f1.mean())

    @property
    def macro_roc_auc(self) -> float:
        """The mean over the classes; NaN where one cannot be told."""
        return float(self.roc_auc.mean())


def estimate(probabilities: Floats, scores: NDArray[np.floating], answered: NDArray[np.integer]) -> Estimate | None:
    """The expected figures of some answers.

    Args:
        probabilities: Calibrated, `float64 [n, classes]`.
        scores: As the model gave them, `float [n, classes]`: they decide the order for the area under the curve.
        answered: The class of each answer, `int [n]`.

    Returns:
        None where there are no rows.
    """
    rows, classes = probabilities.shape
    if not rows:
        return None
    chosen = np.zeros(probabilities.shape, dtype=bool)
    chosen[np.arange(rows), answered] = True
    right = np.where(chosen, probabilities, 0.0).sum(axis=0)
    wrong = np.where(chosen, 1.0 - probabilities, 0.0).sum(axis=0)
    missed = np.where(chosen, 0.0, probabilities).sum(axis=0)
    whole = right + 0.5 * (wrong + missed)
    f1: Floats = np.divide(right, whole, out=np.zeros(classes), where=whole != 0)
    areas = [_area(probabilities[:, c], np.asarray(scores, dtype=np.float64)[:, c]) for c in range(classes)]
    return Estimate(rows, float(right.sum() / rows), f1, np.array(areas))


def _area(probabilities: Floats, scores: Floats) -> float:
    """The expected area under the ROC curve of one class."""
    ordered = probabilities[np.argsort(scores)[::-1]]
    right = np.cumsum(ordered)
    wrong = np.arange(1, len(ordered) + 1) - right
    rises, runs = (np.round(np.concatenate([[0.0], counts]), _AUC_DIGITS) for counts in (right, wrong))
    if not (rises[-1] > 0 and runs[-1] > 0):
        return math.nan
    return float(np.trapezoid(rises / rises[-1], runs / runs[-1]))

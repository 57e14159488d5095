"""The area under the ROC curve, and how exact it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def auc(scores: NDArray[Any], positive: NDArray[Any]) -> float:
    """The chance that a positive row scores above a negative one; ties count half."""
    above, _ = _placements(scores, positive)
    return float(above.mean())


def standard_error(scores: NDArray[Any], positive: NDArray[Any]) -> float:
    """Of `auc`, for a fixed classifier.

    DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 44 (1988).
    """
    above, below = _placements(scores, positive)
    return math.sqrt(float(above.var(ddof=1)) / len(above) + float(below.var(ddof=1)) / len(below))


def mean_error(errors: Sequence[float]) -> float:
    """Standard error of the mean of independent figures."""
    return math.sqrt(sum(error**2 for error in errors)) / len(errors)


def _placements(scores: NDArray[Any], positive: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each positive row the share of negatives below it, and for each negative the share of positives above."""
    high, low = scores[positive == 1], scores[positive == 0]
    return _share_below(high, low), 1 - _share_below(low, high)


def _share_below(values: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    ordered = np.sort(others)
    left, right = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    share: NDArray[np.float64] = (left + right) / (2 * len(others))
    return share

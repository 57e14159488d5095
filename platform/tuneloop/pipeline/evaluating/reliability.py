"""Confidence against accuracy, bin by bin: what a reliability diagram draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""As many as the metric `calibration_error` has."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of like confidence: the mean of it, the share of right ones, and how many there are."""

    confidence: float
    accuracy: float
    rows: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """The bins that hold answers, and the expected calibration error (ECE) over them."""

    bins: tuple[Bin, ...]
    error: float


def reliability(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> Reliability:
    """Bins of equal width (M. Naeini, G. Cooper, M. Hauskrecht, AAAI 2015).

    Args:
        confidence: Of each answer, 0 to 1, `float [n]`.
        right: Whether it was right, `bool [n]`.
    """
    given = np.asarray(confidence, dtype=np.float64)
    place = np.clip(np.ceil(given * BINS).astype(int) - 1, 0, BINS - 1)
    found = []
    for number in range(BINS):
        here = place == number
        if here.any():
            found.append(Bin(float(given[here].mean()), float(right[here].mean()), int(here.sum())))
    error = sum(abs(one.confidence - one.accuracy) * one.rows for one in found) / max(1, len(given))
    return Reliability(tuple(found), float(error))

"""Two models on the same rows by any metric: its difference by the paired bootstrap, and a test by swapping answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError

DRAWS = 400
"""Of the bootstrap; enough for a standard error (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 6.4)."""
MOST_SWAPS = 20_000
_SEED = 7
_UNKNOWN = 1e9
"""The standard error where no draw has a value: so large that nothing is proven, and finite, as JSON is."""
_NORMAL = NormalDist()

Gain = Callable[[NDArray[np.int64]], float]
"""The difference of the metric on these positions of rows, above 0 where the challenger is better."""
Swapped = Callable[[NDArray[np.bool_]], float]
"""The same on all rows, where at the marked ones the two models' answers change places."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """What is known of the difference of a metric.

    Attributes:
        gain: The difference on these rows.
        error: Its standard error, by the paired bootstrap.
        rows: All rows.
        differing: Rows that the two models answer differently, be it only by probabilities; `bool [rows]`.
        decided: The number of rows with another decision: another class, or another value.
        swapped: Computes the difference with swapped answers.
    """

    gain: float
    error: float
    rows: int
    differing: NDArray[np.bool_]
    decided: int
    swapped: Swapped

    def p_above(self, gain: float) -> float:
        """One-sided p-value against "the true difference is at most `gain`": by normal approximation."""
        return 1.0 - _NORMAL.cdf((self.gain - gain) / self.error) if self.error > 0 else float(self.gain <= gain)

    def p_below(self, gain: float) -> float:
        """One-sided p-value against "the true difference is at least `gain`"."""
        return 1.0 - _NORMAL.cdf((gain - self.gain) / self.error) if self.error > 0 else float(self.gain >= gain)

    def p_better(self, alpha: float) -> float:
        """One-sided p-value against "the challenger is not better", exact for every metric, up to the draws.

        If neither were better, swapping the two answers to a row would be as likely as not (paired randomisation:
        E. Noreen, Computer-Intensive Methods for Testing Hypotheses, 1989; for F1: A. Yeh, COLING 2000). Few telling
        rows are no trouble for it, as they are for the normal approximation. It draws as often as the level needs.
        """
        places = np.flatnonzero(self.differing)
        draws = int(min(MOST_SWAPS, max(1000, math.ceil(20 / alpha))))
        generator = np.random.default_rng(_SEED)
        as_good = 0
        marks = np.zeros(self.rows, dtype=bool)
        # By the same arithmetic as the others: the metric's own, in float32, would differ by more than the tolerance.
        found = self.swapped(marks)
        for drawn in range(1, draws + 1):
            marks[places] = generator.random(len(places)) < 0.5
            # A hair of tolerance: sums in another order must not make equal values differ.
            as_good += self.swapped(marks) >= found - 1e-9
            if as_good > 3 * alpha * draws + 10:
                # It cannot get below the level any more.
                return (as_good + 1) / (drawn + 1)
        return (as_good + 1) / (draws + 1)

    def lower(self, alpha: float) -> float:
        """One-sided lower bound.

        Where the models answer (almost) alike the bootstrap has nothing to draw from; that of `n` rows none was lost
        rules out at level alpha only that more than `-ln(alpha) / n` of all are (the rule of three).
        """
        return self.gain - max(_NORMAL.inv_cdf(1 - alpha) * self.error, self._floor(alpha))

    def upper(self, alpha: float) -> float:
        """One-sided upper bound."""
        return self.gain + max(_NORMAL.inv_cdf(1 - alpha) * self.error, self._floor(alpha))

    def _floor(self, alpha: float) -> float:
        return -math.log(alpha) / self.rows if self.decided < 3 else 0.0


def bootstrap_error(gain: Gain, rows: int, draws: int = DRAWS) -> float:
    """The standard error of a metric's difference: rows are drawn with replacement, both models on the same ones."""
    generator = np.random.default_rng(_SEED)
    gains = []
    for _ in range(draws):
        try:
            gains.append(gain(generator.integers(0, rows, rows)))
        except DataError:
            # A draw without rows of a class may have no value.
            continue
    finite = np.array(gains)[np.isfinite(gains)] if gains else np.array([])
    return float(finite.std(ddof=1)) if len(finite) > 1 else _UNKNOWN

"""Two models on the same rows, right or wrong: exact and score tests of how their shares of right answers differ.

Only the rows that one answers right and the other wrong tell them apart: `won` by the challenger, `lost` by it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Paired:
    """What is known of the difference "share right of the challenger, less that of the champion".

    Attributes:
        rows: All rows.
        won: Rows that only the challenger answers right.
        lost: Rows that only the champion answers right.
    """

    rows: int
    won: int
    lost: int

    @property
    def gain(self) -> float:
        """The difference on these rows."""
        return (self.won - self.lost) / self.rows

    @property
    def error(self) -> float:
        """Its standard error (that of a mean of -1, 0 and 1)."""
        return math.sqrt(max(self.won + self.lost - self.rows * self.gain**2, 0.0)) / self.rows

    def p_above(self, gain: float) -> float:
        """One-sided p-value against "the true difference is at most `gain`".

        At 0 the exact test of McNemar: with no difference each telling row is won with probability one half.
        Elsewhere the score test of T. Tango (Statistics in Medicine 17, 1998), which needs no continuity correction and
        keeps its level on few rows better than Wald's.
        """
        if gain == 0.0:
            return binomial_tail(self.won + self.lost, self.won)
        return _NORMAL.cdf(-self._score(gain))

    def p_below(self, gain: float) -> float:
        """One-sided p-value against "the true difference is at least `gain`"."""
        return Paired(self.rows, self.lost, self.won).p_above(-gain)

    def lower(self, alpha: float) -> float:
        """One-sided lower bound: the smallest difference that the score test at this level does not refuse."""
        wanted = _NORMAL.inv_cdf(1 - alpha)
        return _falling(lambda gain: self._score(gain) - wanted, -1.0, self.gain)

    def upper(self, alpha: float) -> float:
        """One-sided upper bound."""
        return -Paired(self.rows, self.lost, self.won).lower(alpha)

    def _score(self, gain: float) -> float:
        """Tango's statistic: about standard normal where `gain` is the true difference."""
        if not -1.0 < gain < 1.0:
            return math.copysign(math.inf, -gain) if gain != self.gain else 0.0
        n, b, c = self.rows, self.won, self.lost
        # The most likely share of lost rows, given the difference, solves a quadratic equation.
        linear = (2 * n - b + c) * gain - b - c
        constant = -c * gain * (1 - gain)
        lost = (math.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
        variance = n * (2 * lost + gain * (1 - gain))
        distance = b - c - n * gain
        if variance <= 0:
            return 0.0 if distance == 0 else math.copysign(math.inf, distance)
        return distance / math.sqrt(variance)


def _falling(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that falls from above 0 to below crosses it, by halving."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@functools.lru_cache(maxsize=1024)
def binomial_tail(trials: int, least: int) -> float:
    """The probability of at least so many heads in throws of a fair coin."""
    if least <= 0:
        return 1.0
    total = sum(math.comb(trials, heads) for heads in range(least, trials + 1))
    return float(total / 2**trials)


def holm(values: dict[str, float], alpha: float) -> set[str]:
    """The names whose p-values Holm's method refuses: at most alpha of all families hold one false refusal.

    S. Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    refused: set[str] = set()
    for place, (name, value) in enumerate(sorted(values.items(), key=lambda pair: (pair[1], pair[0]))):
        if value > alpha / (len(values) - place):
            break
        refused.add(name)
    return refused

"""How sure a figure is: 95 % intervals of shares, means, differences and of anything counted from a table of cells."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.formula import CONFIDENCE_Z

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From counts of cells, `float64 [..., cells]`, to a figure each, `float64 [...]`."""

DRAWS = 2000
"""Samples of a bootstrap."""
_NORMAL = NormalDist()
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(right: float, total: float, z: float = CONFIDENCE_Z) -> Interval | None:
    """A share with its Wilson score interval (Wilson, 1927); None where `total` is 0."""
    if not total > 0:
        return None
    share = right / total
    middle = share + z**2 / (2 * total)
    reach = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    whole = 1 + z**2 / total
    low, high = (middle - reach) / whole, (middle + reach) / whole
    # Rounding may put an end a hair inside of a share of 0 or 1.
    return Interval(share, max(0.0, min(low, share)), min(1.0, max(high, share)))


def mean(total: float, squares: float, count: float, z: float = CONFIDENCE_Z) -> Interval | None:
    """A mean with the normal approximation of its interval, from sums; None where `count` is 0.

    Args:
        total: Of the values.
        squares: Sum of their squares.
        count: Of the values.
        z: Of the two-sided interval.
    """
    if not count > 0:
        return None
    value = total / count
    spread = z * math.sqrt(max(0.0, squares / count - value**2) / count)
    return Interval(value, value - spread, value + spread)


def root(squares: Interval) -> Interval:
    """A root mean square from the mean of squares; an end below 0 becomes 0."""
    return Interval(*(math.sqrt(max(0.0, end)) for end in (squares.value, squares.low, squares.high)))


def difference(one: Interval, other: Interval) -> Interval:
    """`one - other` of two independent figures, by the squares of their own intervals.

    For shares with Wilson intervals this is Newcombe's hybrid score interval (Newcombe, 1998, method 10).
    """
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, value - below, value + above)


def bootstrap(cells: NDArray[np.integer], statistic: Statistic, *, seed: int = 0, draws: int = DRAWS) -> Interval:
    """A figure of counted rows, with its bias-corrected and accelerated (BCa) bootstrap interval (Efron, 1987).

    Rows that fall into one cell are alike, so drawing rows with replacement is drawing the counts of the cells from a
    multinomial distribution: the work depends on the number of cells, not on the number of rows. The acceleration comes
    from leaving out one row of each cell.

    Args:
        cells: Rows in each cell, `int [cells]`; at least one row.
        statistic: The figure.
        seed: Of the random numbers.
        draws: How many samples.
    """
    kept = np.flatnonzero(cells)
    counts: Floats = cells[kept].astype(np.float64)
    total = int(counts.sum())

    def figure(some: Floats) -> Floats:
        whole = np.zeros((*some.shape[:-1], len(cells)))
        whole[..., kept] = some
        return statistic(whole)

    value = float(figure(counts))
    drawn = figure(np.random.default_rng(seed).multinomial(total, counts / total, size=draws).astype(np.float64))
    without = figure(counts - np.eye(len(counts))) if total > 1 else np.array([value])
    return bias_corrected(value, drawn, without, counts if total > 1 else np.ones(1))


def resample(values: Floats, *, seed: int = 0, draws: int = DRAWS) -> Interval:
    """The mean of values, `float64 [n]` with n > 0, with its BCa bootstrap interval."""
    random = np.random.default_rng(seed)
    count = len(values)
    portion = max(1, 2_000_000 // count)
    drawn = [
        values[random.integers(0, count, size=(min(portion, draws - start), count))].mean(axis=1)
        for start in range(0, draws, portion)
    ]
    without = (values.sum() - values) / (count - 1) if count > 1 else values
    return bias_corrected(float(values.mean()), np.concatenate(drawn), without, np.ones(count))


def bias_corrected(value: float, drawn: Floats, without: Floats, weights: Floats) -> Interval:
    """The bias-corrected and accelerated (BCa) interval of a figure (Efron, 1987), from what a bootstrap drew.

    Args:
        value: The figure of all rows.
        drawn: The figures of the samples, `[draws]`.
        without: The figures with one row left out, `[kinds of rows]`.
        weights: How many rows there are of each kind.
    """
    below = float((drawn < value).mean() + (drawn == value).mean() / 2)
    bias = _NORMAL.inv_cdf(min(max(below, 0.5 / len(drawn)), 1 - 0.5 / len(drawn)))
    apart = np.average(without, weights=weights) - without
    spread = float((weights * apart**2).sum())
    skew = float((weights * apart**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    shares = []
    for end in _ENDS:
        moved = bias + _NORMAL.inv_cdf(end)
        shares.append(_NORMAL.cdf(bias + moved / max(1e-9, 1 - skew * moved)))
    low, high = np.quantile(drawn, shares)
    return Interval(value, float(low), float(high))

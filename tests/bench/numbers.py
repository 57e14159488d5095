"""The arithmetic of the report: quantiles of one sample, and medians with their spread over rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the sample does not exceed (nearest rank); 0 for an empty sample.

    Args:
        ordered: The sample, rising.
        share: Above 0, at most 1.
    """
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Spread:
    """One figure over several rounds: its median, its lowest and its highest value."""

    median: float
    low: float
    high: float
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """Median and range.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("no round gave a value")
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Spread(median, ordered[0], ordered[-1], len(ordered))


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """One ratio a round: the machine's mood in a round is in both numbers, and cancels.

    Raises:
        ValueError: The rounds do not match, or a divisor is zero.
    """
    if len(above) != len(below):
        raise ValueError(f"{len(above)} rounds against {len(below)}")
    if not all(below):
        raise ValueError("a round gave zero, and nothing can be divided by it")
    return [one / other for one, other in zip(above, below, strict=True)]

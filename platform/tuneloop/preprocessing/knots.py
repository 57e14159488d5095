"""Where a number stands among those of the training rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fit_knots(values: NDArray[np.float64], pieces: int) -> tuple[float, ...]:
    """Rising values, at most one more than `pieces`: every distinct value, or else quantiles, with both ends.

    Args:
        values: Finite numbers `[n]`, at least one.
        pieces: Into how many pieces the knots divide the numbers, at most.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= pieces + 1:
        return tuple(distinct.tolist())
    # A value that most rows share, such as no gain at all, would take nearly all quantiles and leave the others none.
    mass = np.cumsum(np.sqrt(counts))
    places = np.searchsorted(mass, np.linspace(0, mass[-1], pieces + 1)).clip(max=len(distinct) - 1)
    return tuple(distinct[np.unique(places)].tolist())


def place(value: float, knots: Sequence[float]) -> float:
    """0 at the first knot and below, 1 at the last and above; equal steps from knot to knot, linear between two.

    A single knot has no pieces: then 0.
    """
    last = len(knots) - 1
    if value <= knots[0] or last == 0:
        return 0.0
    if value >= knots[last]:
        return 1.0
    below = bisect_right(knots, value) - 1
    return (below + (value - knots[below]) / (knots[below + 1] - knots[below])) / last

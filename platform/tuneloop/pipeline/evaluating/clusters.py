"""Rows that are alike for the model: k-means over its embedding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDS = 25
_SEED = 5
_ROWS_EACH = 60
"""Rows that a cluster should have: fewer prove nothing."""
_MOST = 12
_MOST_ROWS = 20_000


def clusters(embedding: NDArray[np.floating]) -> NDArray[np.int64]:
    """The cluster of each row, `int64 [n]`, from 0; all 0 where there are too few rows.

    Lloyd's rounds from the seeding of k-means++ (D. Arthur, S. Vassilvitskii, SODA 2007), over vectors of length 1.
    Written out, as scikit-learn's adds up in whatever order its threads end, and equal runs must give equal cards.

    Args:
        embedding: `float [n, d]`.
    """
    rows = len(embedding)
    count = min(_MOST, rows // _ROWS_EACH)
    if count < 2 or not np.isfinite(embedding).all():
        return np.zeros(rows, dtype=np.int64)
    points = np.asarray(embedding, dtype=np.float64)
    points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    generator = np.random.default_rng(_SEED)
    sample = points if rows <= _MOST_ROWS else points[generator.choice(rows, _MOST_ROWS, replace=False)]
    centres = _seeds(sample, count, generator)
    for _ in range(_ROUNDS):
        nearest = _nearest(sample, centres)
        moved = np.stack([_mean(sample, nearest == one, centres[one]) for one in range(count)])
        if np.allclose(moved, centres, atol=1e-9):
            break
        centres = moved
    return _nearest(points, centres)


def _seeds(points: Floats, count: int, generator: np.random.Generator) -> Floats:
    chosen = [int(generator.integers(len(points)))]
    apart = _apart(points, points[chosen])[:, 0]
    for _ in range(count - 1):
        total = apart.sum()
        shares = apart / total if total > 0 else np.full(len(points), 1 / len(points))
        chosen.append(int(generator.choice(len(points), p=shares)))
        apart = np.minimum(apart, _apart(points, points[chosen[-1:]])[:, 0])
    return points[chosen]


def _apart(points: Floats, centres: Floats) -> Floats:
    squares = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)[None, :]
    found: Floats = np.maximum(squares, 0.0)
    return found


def _nearest(points: Floats, centres: Floats) -> NDArray[np.int64]:
    found: NDArray[np.int64] = _apart(points, centres).argmin(axis=1).astype(np.int64)
    return found


def _mean(points: Floats, mine: NDArray[np.bool_], before: Floats) -> Floats:
    found: Floats = points[mine].mean(axis=0) if mine.any() else before
    return found

"""Columns that tell two tables apart whatever happened: row numbers, times, identifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST_VALUES = 50
"""Fewer values are in order, or all different, by chance or by nature."""
_LEAST_DISTINCT = 20


def suspicion(kind: str, reference: NDArray[Any], current: NDArray[Any]) -> str | None:
    """Why a column is better left out; None where nothing speaks against it.

    A column is suspicious where both tables are sorted by it (a time, a row number, or just the order of the export),
    or where no whole number or short text occurs twice in either (an identifier). Measured values with a fraction are
    often all different, and long texts too: they are never identifiers.

    Args:
        kind: Number, category or text.
        reference: Values in the order of the rows.
        current: The same.
    """
    sides = [_present(kind, side) for side in (reference, current)]
    if min(map(len, sides)) < _LEAST_VALUES:
        return None
    if kind == "number" and all(_monotone(side) for side in sides):
        return "monotone: both tables are sorted by it, as by a time or a row number"
    whole = kind == "category" or (kind == "number" and all(bool((side == np.floor(side)).all()) for side in sides))
    if whole and all(_distinct(side) == len(side) for side in sides):
        return "unique: no value occurs twice, as in an identifier"
    return None


def _distinct(values: NDArray[Any]) -> int:
    return len(set(values.tolist())) if values.dtype == object else len(np.unique(values))


def _present(kind: str, values: NDArray[Any]) -> NDArray[Any]:
    kept = np.isfinite(values) if kind == "number" else np.array([value is not None for value in values], dtype=bool)
    present: NDArray[Any] = values[kept]
    return present


def _monotone(values: NDArray[np.float64]) -> bool:
    steps = np.diff(values)
    return len(np.unique(values)) >= _LEAST_DISTINCT and bool((steps >= 0).all() or (steps <= 0).all())

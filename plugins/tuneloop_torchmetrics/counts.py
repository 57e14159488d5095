"""What each row adds to the counts of its classes, so that an interval needs no second look at the rows.

The sums of a row are, class after class, its right answers, its answers and its references; the last class is that
of labels the model does not know.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Predictions

Floats = NDArray[np.float64]

MOST = 20_000_000
"""Numbers; more are not worth their memory."""


def class_parts(predictions: Predictions, references: NDArray[Any]) -> Floats | None:
    """Right answers, answers and references of each class, `float64 [n, 3 (classes + 1)]`; None: too many."""
    rows, classes = len(references), len(predictions.labels) + 1
    if not rows or rows * classes * 3 > MOST or predictions.values.max(initial=0) >= classes - 1:
        return None
    wide = references.ndim > 1
    values = predictions.values if wide else predictions.values[:, None]
    truth = references if wide else references[:, None]
    if truth.max(initial=0) >= classes:
        return None
    at, place = np.nonzero(truth != NO_PLACE)
    answered, right = values[at, place], truth[at, place]
    right = np.where(right < 0, classes - 1, right)
    hit = answered == right
    pairs = ((at[hit], right[hit]), (at, answered), (at, right))
    return np.concatenate([_counted(where, places, rows, classes) for where, places in pairs], axis=1)


def _counted(at: NDArray[Any], places: NDArray[Any], rows: int, classes: int) -> Floats:
    """How often each row has each class, `float64 [rows, classes]`."""
    return np.bincount(at * classes + places, minlength=rows * classes).reshape(rows, classes).astype(np.float64)


def split(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Right answers, answers and references by class, `float64 [draws, classes]` each."""
    shaped = sums.reshape(*sums.shape[:-1], 3, -1)
    return shaped[..., 0, :], shaped[..., 1, :], shaped[..., 2, :]


def ratio(above: Floats, below: Floats) -> Floats:
    """`above / below`; 0 where there is nothing to divide by."""
    shape = np.broadcast_shapes(above.shape, below.shape)
    return np.divide(above, below, out=np.zeros(shape), where=np.broadcast_to(below != 0, shape))


def mean_over_present(values: Floats, references: Floats) -> Floats:
    """The mean over the classes that have references."""
    present = references > 0
    return ratio(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1).astype(np.float64))

"""Scores by class, from a confusion table: precision, recall and F1, alone or for many tables at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.accuracy.intervals import Floats

SCORES = ("precision", "recall", "f1")


def confusion(truth: NDArray[np.integer], answered: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """How often each class was answered for each, `int64 [classes * classes]`, the truth first.

    Args:
        truth: Positions of the right classes, `int [n]`.
        answered: Positions of the answers, `int [n]`.
        classes: How many there are.
    """
    return np.bincount(truth * classes + answered, minlength=classes * classes).astype(np.int64)


def accuracy(cells: Floats) -> Floats:
    """The share of right answers of confusion tables `[..., classes^2]`."""
    table = _square(cells)
    right: Floats = np.trace(table, axis1=-2, axis2=-1) / cells.sum(axis=-1)
    return right


def macro(cells: Floats, score: str = "f1") -> Floats:
    """The mean of a score over the classes that occur, as a truth or as an answer, of tables `[..., classes^2]`.

    A class that is never answered has a precision of 0, one that is never the truth a recall of 0, as in scikit-learn
    with `zero_division=0`.

    Args:
        cells: Confusion tables.
        score: One of `SCORES`.
    """
    table = _square(cells)
    right = np.diagonal(table, axis1=-2, axis2=-1)
    true, answered = table.sum(axis=-1), table.sum(axis=-2)
    top, whole = {"precision": (right, answered), "recall": (right, true), "f1": (2 * right, true + answered)}[score]
    each = np.divide(top, whole, out=np.zeros_like(whole), where=whole > 0)
    occurs = (true + answered > 0).sum(axis=-1)
    result: Floats = each.sum(axis=-1) / occurs
    return result


def _square(cells: Floats) -> Floats:
    classes = round(cells.shape[-1] ** 0.5)
    return cells.reshape(*cells.shape[:-1], classes, classes)

"""Answers of a model and what became of them, as columns; and what judges them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Task
from tuneloop.monitoring.accuracy.calibration import Calibration
from tuneloop.monitoring.accuracy.intervals import Floats
from tuneloop.monitoring.accuracy.slices import SliceReader


@dataclass(frozen=True, slots=True)
class Judge:
    """What a version's answers are judged with.

    Attributes:
        task: Holds an answer against its label.
        tolerance: How far an answer may be from the truth and still be right.
        calibration: What its scores are worth; None: nothing is estimated.
        slices: Reads the slices asked for; None: there are none.
    """

    task: Task
    tolerance: float = 0.0
    calibration: Calibration | None = None
    slices: SliceReader | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of a model, a column each.

    Attributes:
        version: Who answered, `object [n]`.
        time: When, `float64 [n]` Unix seconds.
        labelled: When the last label came, `float64 [n]`; NaN: there is none.
        error: `Task.error`, `float64 [n]`; NaN without a label, or with one that does not fit the answer.
        right: Whether the error is within the tolerance, `bool [n]`.
        answered: Position of the answer in `classes`, `int64 [n]`; -1 where answers are no classes.
        truth: Position of the label, likewise; -1 without a label.
        classes: Every class that was answered or was a label.
        numbers: Whether answers are numbers.
        slices: Value of each row, `object [n]`, by slice.
        scores: By version, positions of rows with scores, `int64 [m]`, and their scores `float64 [m, classes]`.
    """

    version: NDArray[Any]
    time: Floats
    labelled: Floats
    error: Floats
    right: NDArray[np.bool_]
    answered: NDArray[np.int64]
    truth: NDArray[np.int64]
    classes: tuple[str, ...]
    numbers: bool
    slices: Mapping[str, NDArray[Any]]
    scores: Mapping[str, tuple[NDArray[np.int64], Floats]]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows that two versions answered and that have a label: errors `float64 [n]`, and the rest as in `Answers`."""

    champion: str
    challenger: str
    errors: tuple[Floats, Floats]
    right: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    answered: tuple[NDArray[np.int64], NDArray[np.int64]]
    truth: NDArray[np.int64]
    numbers: bool

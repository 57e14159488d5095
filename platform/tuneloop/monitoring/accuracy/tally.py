"""What labels say, in counters that Prometheus turns into windowed figures over any number of replicas.

A counter only rises, and a label may be replaced. So each one that is replaced is counted once more as `undone`:
`counted - undone` is what the last labels say. In a window it holds exactly where both labels came within it; a
correction of an older label moves the figures of the window in which the correction came, and the rules keep them
between their bounds. `tuneloop accuracy` reads the store instead, where each label stands at the time of its answer.

Series a version: 6 for each of the first `MOST_CLASSES` classes and the rest together, 4 for each bin of a slice
(at most 52 bins, `MOST_SLICES` slices).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneloop.api import Task
from tuneloop.monitoring.accuracy.slices import SliceReader
from tuneloop.monitoring.metrics import (
    CLASS_KINDS,
    CORRECT,
    CORRECTIONS,
    COUNTED,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    LABEL_CHANGES,
    OUTCOMES,
    TO_CORRECT,
    TO_WRONG,
    TRUE_POSITIVE,
    UNDONE,
    WRONG,
    Metrics,
)

if TYPE_CHECKING:
    from tuneloop.monitoring.store import Labelled

logger = logging.getLogger(__name__)

MOST_CLASSES = 100
"""Classes with counters of their own, by their position in the model's output; the others share `OTHER`."""
OTHER = "other"
"""A label that the model does not know is counted here too: as missed, never as answered."""
POWERS = (1, 2, 4)
"""Of absolute errors: their sums give the mean, the mean square, and how sure both are."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer, the label it was held against, and the verdict."""

    pair: Labelled
    error: float
    right: bool


class LabelTally:
    """The counters of labels of one model by class, by size of the error and by slice. Thread safe.

    Args:
        metrics: The collectors of this process.
        model: The `model` label.
        task: Says what an answer decided, and which classes there are.
        slices: Reads the slices; None: there are none.
    """

    def __init__(self, metrics: Metrics, model: str, task: Task, slices: SliceReader | None = None) -> None:
        self._metrics, self._model, self._task, self._slices = metrics, model, task, slices
        self._numbers = task.loss == "mse"
        # Only a task whose answer is one label has classes to count by.
        labelled = task.loss == "cross_entropy"
        self._classes = frozenset(task.output_names[:MOST_CLASSES]) if labelled else frozenset()

    def prepare(self, version: str) -> None:
        """Make the counters of a version: one that is born above 0 hides its first increase from Prometheus."""
        one = (self._model, version)
        self._metrics.label_squared_error.labels(*one)
        for outcome in OUTCOMES:
            self._metrics.labels.labels(*one, outcome)
        for correction in CORRECTIONS:
            self._metrics.label_corrections.labels(*one, correction)
        for change in LABEL_CHANGES:
            if self._numbers:
                for power in POWERS:
                    self._metrics.label_error_power.labels(*one, str(power), change)
            for name in {*self._classes, OTHER} if self._classes else ():
                for kind in CLASS_KINDS:
                    self._metrics.label_class.labels(*one, name, kind, change)
        if self._slices is not None:
            for name, values in self._slices.names.items():
                for value in values:
                    for outcome in (CORRECT, WRONG, *CORRECTIONS):
                        self._metrics.slice_labels.labels(*one, name, value, outcome)

    def add(self, judged: Sequence[Judged]) -> None:
        """Count labels that came first for their answers."""
        for one in judged:
            self._count(one, COUNTED)
        self._count_slices(judged, [CORRECT if one.right else WRONG for one in judged])

    def replace(self, before: Judged, after: Judged) -> None:
        """Count a label that replaced another one of the same answer."""
        self._count(before, UNDONE)
        self._count(after, COUNTED)
        if before.right != after.right:
            change = TO_CORRECT if after.right else TO_WRONG
            self._metrics.label_corrections.labels(self._model, after.pair.prediction.version, change).inc()
            self._count_slices([after], [change])

    def _count(self, one: Judged, change: str) -> None:
        version = (self._model, one.pair.prediction.version)
        if self._numbers:
            for power in POWERS:
                self._metrics.label_error_power.labels(*version, str(power), change).inc(abs(one.error) ** power)
            return
        if not self._classes:
            return
        answered, truth = self._task.decision(one.pair.prediction.answer), one.pair.label
        if not isinstance(answered, str) or not isinstance(truth, str | int | float):
            return

        def count(name: str, kind: str) -> None:
            shown = name if name in self._classes else OTHER
            self._metrics.label_class.labels(*version, shown, kind, change).inc()

        if one.right:
            count(answered, TRUE_POSITIVE)
        else:
            count(answered, FALSE_POSITIVE)
            count(str(truth), FALSE_NEGATIVE)

    def _count_slices(self, judged: Sequence[Judged], outcomes: Sequence[str]) -> None:
        if self._slices is None or not judged:
            return
        predictions = [one.pair.prediction for one in judged]
        found = self._slices.read([one.row for one in predictions], [one.answer for one in predictions])
        for name, values in found.items():
            for prediction, value, outcome in zip(predictions, values, outcomes, strict=True):
                self._metrics.slice_labels.labels(self._model, prediction.version, name, value, outcome).inc()

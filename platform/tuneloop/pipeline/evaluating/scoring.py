"""Metrics of answers against reference answers, by the metrics the project names."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Arrays, DataError, Metric, Predictions, Row, Task, UndefinedMetricError
from tuneloop.pipeline.evaluating.spoken import spelling

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager


logger = logging.getLogger(__name__)


class Scorer:
    """The project's metrics, and which of them decides."""

    def __init__(self, project: Project, plugins: PluginManager) -> None:
        """Create the metrics.

        Args:
            project: Names the metrics to report, those the gate requires, and the one that decides.
            plugins: Bring them.
        """
        reported = project.evaluate.metrics
        deciding = deciding_metric(project)
        names = dict.fromkeys([*reported, *project.gate.require, deciding])
        self.metrics: dict[str, Metric] = {name: plugins.create("metric", name) for name in names}
        self.deciding = deciding
        self.stopping = stopping_metric(project) or reported[0]
        self.needed = (deciding,) if project.data.split.fold is None else ()
        """Without these the run's own figures say nothing; a part of a cross-validation may do without them."""
        self._told: set[tuple[str, str]] = set()

    def maximize(self, name: str) -> bool:
        """Whether more of a metric is better."""
        return self.metrics[name].maximize

    def score(
        self, predictions: Predictions, references: NDArray[Any], needed: Collection[str] = ()
    ) -> dict[str, float]:
        """Every metric that has a value on these rows; a warning names each other one, and why it is left out.

        Args:
            predictions: Of these rows.
            references: Their right answers.
            needed: Metrics that must have a value.

        Raises:
            UndefinedMetricError: One of those has none.
        """
        found = {}
        for name, metric in self.metrics.items():
            cause: DataError | None = None
            value = math.nan
            try:
                value = float(metric.compute(predictions, references))
            except DataError as error:
                cause = error
            if math.isfinite(value):
                found[name] = value
                continue
            said = f"metric {name!r} has no value on {len(references)} rows: {cause or f'it gave {value}'}"
            if name in needed:
                more = "give these rows more of each answer, by `data.split`, or let another metric decide"
                raise UndefinedMetricError(f"{said}; {more}") from cause
            if (name, said) not in self._told:
                # Once, not after each epoch.
                self._told.add((name, said))
                logger.warning("%s; it is left out there", said)
        return found

    def told(self, found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """The figures of the metric that decides, by what `found` names them after, where there are some."""
        name = self.deciding
        return {f"{where} {name}": values[name] for where, values in found.items() if name in values}

    def loss(self, name: str, before: float, after: float) -> float:
        """How much worse `after` is: absolute where more is better, relative where less is (it has a unit)."""
        if self.maximize(name):
            return before - after
        return (after - before) / max(abs(before), 1e-12)


def deciding_metric(project: Project) -> str:
    """The metric that champion and challenger are compared by; the first one reported where the gate names none."""
    return project.gate.champion_metric or project.evaluate.metrics[0]


def searched_metric(project: Project) -> str | None:
    """The metric that trials of a search are judged by; None: the project searches for nothing."""
    return None if project.search is None else project.search.metric or deciding_metric(project)


def stopping_metric(project: Project) -> str | None:
    """The metric that the strategy's options name for early stopping, where they do: one of those reported.

    For texts it may also be perplexity, which is none of them.
    """
    stopping = getattr(project.tune.options, "early_stopping", None)
    name = getattr(stopping, "metric", None)
    return str(name) if name else None


def judge(
    task: Task, outputs: Arrays, values: Sequence[Any], rows: Sequence[Row] | None = None
) -> tuple[Predictions, NDArray[Any]]:
    """Predictions and references in one space of labels, in which a label the model does not know has a place too.

    Args:
        task: The model's own.
        outputs: The model's outputs, in row order.
        values: The right answers, in row order.
        rows: The checked rows; None: only for tasks whose answers are no part of the row.
    """
    predictions = task.predictions(outputs) if rows is None else task.predictions_to(rows, outputs)
    references = task.references(values)
    if not predictions.labels:
        return predictions, references
    if task.judged_as == "multi-label":
        return _widened(predictions, references, values)
    here = references != NO_PLACE
    named = list(zip(task.units(values), references[here].tolist(), strict=True))
    unknown = sorted({str(value) for value, reference in named if reference < 0})
    if not unknown:
        return predictions, references
    labels = (*predictions.labels, *unknown)
    places = {label: i for i, label in enumerate(labels)}
    scores = predictions.scores
    if scores is not None:
        scores = np.pad(scores, ((0, 0),) * (scores.ndim - 1) + ((0, len(unknown)),))
    mended = references.copy()
    mended[here] = [places[str(value)] for value, _ in named]
    return Predictions(predictions.values, scores, labels), mended


def _widened(
    predictions: Predictions, references: NDArray[Any], values: Sequence[Any]
) -> tuple[Predictions, NDArray[Any]]:
    """A column more for each label that the model does not know: it never answers it."""
    unknown = sorted({str(label) for value in values for label in value} - set(predictions.labels))
    if not unknown:
        return predictions, references
    wide = ((0, 0), (0, len(unknown)))
    scores = None if predictions.scores is None else np.pad(predictions.scores, wide)
    added = np.array([[label in set(map(str, value)) for label in unknown] for value in values], dtype=np.int64)
    widened = Predictions(np.pad(predictions.values, wide), scores, (*predictions.labels, *unknown))
    return widened, np.concatenate([references, added], axis=1)


def decoded(task: Task, logits: NDArray[Any], labels: NDArray[Any]) -> tuple[Predictions, NDArray[Any]]:
    """What a strategy's metric needs: validation logits and labels (as the loss reads them), in the metrics' unit.

    Not for a task whose answers are a part of the row: see `judge`.
    """
    predictions = task.predictions({"logits": logits})
    if task.loss == "binary_cross_entropy":
        return predictions, np.asarray(labels).round().astype(np.int64)
    if task.loss == "likelihood":
        return predictions, np.asarray(labels)
    if task.loss == "ctc":
        return predictions, task.references(spelling(task, labels))
    if task.loss == "cross_entropy":
        references = np.asarray(labels, dtype=np.int64)
        # Labels of words are as wide as the longest row of all, which need not be among these.
        return predictions, references if references.ndim == 1 else references[:, : predictions.values.shape[1]]
    return predictions, task.predictions({"logits": np.asarray(labels).reshape(-1, 1)}).values


def same(first: Predictions, second: Predictions, tolerance: float) -> NDArray[np.bool_]:
    """Which rows got the same answer: the same label, or a value no further off than the tolerance (relative)."""
    if first.labels:
        equal: NDArray[np.bool_] = (first.values == second.values).reshape(len(first.values), -1).all(axis=1)
        return equal
    if first.values.dtype == object:
        pairs = zip(first.values.tolist(), second.values.tolist(), strict=True)
        return np.array([one == other for one, other in pairs], dtype=np.bool_)
    close = np.asarray(np.isclose(first.values, second.values, rtol=tolerance, atol=tolerance), dtype=np.bool_)
    # A row of tokens is alike where all of them are.
    return np.asarray(close.reshape(len(close), -1).all(axis=1), dtype=np.bool_)

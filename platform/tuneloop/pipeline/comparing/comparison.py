"""Challenger against champion on the same rows: the difference of a metric, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Predictions
from tuneloop.pipeline.comparing.paired import Paired
from tuneloop.pipeline.comparing.resampled import Gain, Resampled, Swapped, bootstrap_error

if TYPE_CHECKING:
    from tuneloop.api import Metric
    from tuneloop.pipeline.evaluating.scoring import Scorer

Judged = tuple[Predictions, NDArray[Any]]
"""A model's predictions, and the references in its own space of labels."""

_SHOWN = 0.025
"""Error on each side of the intervals that people are shown."""
_EQUAL = 1e-6


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric of both models on the same rows.

    Attributes:
        metric: Its name.
        champion: The champion's value.
        challenger: The challenger's value.
        gain: How much better the challenger is, in the metric's unit; negative: worse.
        low: Lower end of the gain's 95 % interval.
        high: Upper end.
        rows: The number of rows.
        known: What the rows tell of the gain.
    """

    metric: str
    champion: float
    challenger: float
    gain: float
    low: float
    high: float
    rows: int
    known: Paired | Resampled

    def __str__(self) -> str:
        return (
            f"{self.metric} {self.champion:.4f} -> {self.challenger:.4f} on {self.rows} rows "
            f"(gain {self.gain:+.4f}, 95 % between {self.low:+.4f} and {self.high:+.4f})"
        )

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "known"}

    def p_better(self, alpha: float) -> float:
        """One-sided p-value against "the challenger is not better"; exact enough to be held against the level."""
        return self.known.p_above(0.0) if isinstance(self.known, Paired) else self.known.p_better(alpha)


def compare(scorer: Scorer, name: str, champion: Judged, challenger: Judged) -> Comparison:
    """Compare two models by a metric.

    Where the metric is the share of right answers, the rows are counted and the tests are those of `paired`;
    otherwise, those of `resampled`.

    Args:
        scorer: Knows the metric.
        name: The metric.
        champion: Its predictions and references.
        challenger: The same rows, in the same order.
    """
    metric = scorer.metrics[name]
    rows = len(challenger[1])
    old, new = float(metric.compute(*champion)), float(metric.compute(*challenger))
    counted = _counted(champion, challenger)
    if counted is not None and metric.maximize:
        apart = [abs(float(right.mean()) - value) for right, value in zip(counted, (old, new), strict=True)]
        if max(apart) < _EQUAL:
            return compare_rights(name, *counted)
    known = _resampled(metric, champion, challenger, (new - old) * (1 if metric.maximize else -1))
    return Comparison(name, old, new, known.gain, known.lower(_SHOWN), known.upper(_SHOWN), rows, known)


def compare_rights(name: str, champion: NDArray[np.bool_], challenger: NDArray[np.bool_]) -> Comparison:
    """Compare by which rows are answered right, `bool [n]` each."""
    won, lost = int((challenger & ~champion).sum()), int((champion & ~challenger).sum())
    known = Paired(len(champion), won, lost)
    old, new = float(champion.mean()), float(challenger.mean())
    return Comparison(name, old, new, known.gain, known.lower(_SHOWN), known.upper(_SHOWN), len(champion), known)


def rights(judged: Judged) -> NDArray[np.bool_] | None:
    """Which rows are answered right, `bool [n]`; None where an answer is not one class."""
    predictions, references = judged
    if not predictions.labels or predictions.values.ndim != 1:
        return None
    equal: NDArray[np.bool_] = predictions.values == references
    return equal


def take(judged: Judged, at: NDArray[Any]) -> Judged:
    """Some rows: positions, or a mask."""
    predictions, references = judged
    scores = predictions.scores[at] if predictions.scores is not None else None
    return Predictions(predictions.values[at], scores, predictions.labels), references[at]


def _counted(champion: Judged, challenger: Judged) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    old, new = rights(champion), rights(challenger)
    return None if old is None or new is None else (old, new)


def _resampled(metric: Metric, champion: Judged, challenger: Judged, gain: float) -> Resampled:
    sign, rows = (1.0 if metric.maximize else -1.0), len(challenger[1])
    old, new = _in_one_space(champion, challenger)
    before, after = metric.parts(*old), metric.parts(*new)
    drawn: Gain
    swapped: Swapped
    if before is not None and after is not None:
        drawn, swapped = _by_sums(metric, sign, before, after)
    else:
        drawn, swapped = _by_rows(metric, sign, old, new)
    same = old[0].values == new[0].values
    differing = ~same.reshape(rows, -1).all(axis=1)
    decided = int(differing.sum())
    if old[0].scores is not None and new[0].scores is not None:
        differing |= (old[0].scores != new[0].scores).reshape(rows, -1).any(axis=1)
    error = bootstrap_error(drawn, rows) if differing.any() else 0.0
    return Resampled(gain, error, rows, differing, decided, swapped)


def _by_sums(metric: Metric, sign: float, old: NDArray[np.float64], new: NDArray[np.float64]) -> tuple[Gain, Swapped]:
    """The gain on drawn rows, and with swapped answers, of a metric that is made of sums over rows."""

    def gain(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        after, before = metric.joined(np.stack([first, second]))
        return sign * float(after - before)

    def drawn(at: NDArray[np.int64]) -> float:
        return gain(new[at].sum(axis=0), old[at].sum(axis=0))

    def swapped(marks: NDArray[np.bool_]) -> float:
        moved = (new[marks] - old[marks]).sum(axis=0)
        return gain(new.sum(axis=0) - moved, old.sum(axis=0) + moved)

    return drawn, swapped


def _by_rows(metric: Metric, sign: float, old: Judged, new: Judged) -> tuple[Gain, Swapped]:
    """The same of any metric: it reads the rows again each time."""

    def drawn(at: NDArray[np.int64]) -> float:
        return sign * (metric.compute(*take(new, at)) - metric.compute(*take(old, at)))

    def swapped(marks: NDArray[np.bool_]) -> float:
        first, second = _mixed(new, old, marks), _mixed(old, new, marks)
        return sign * (metric.compute(first, old[1]) - metric.compute(second, old[1]))

    return drawn, swapped


def _mixed(first: Judged, second: Judged, marks: NDArray[np.bool_]) -> Predictions:
    """The first model's answers, at the marked rows the second's."""
    mine, other = first[0], second[0]
    values = mine.values.copy()
    values[marks] = other.values[marks]
    scores = None
    if mine.scores is not None and other.scores is not None:
        scores = mine.scores.copy()
        scores[marks] = other.scores[marks]
    return Predictions(values, scores, mine.labels)


def _in_one_space(champion: Judged, challenger: Judged) -> tuple[Judged, Judged]:
    """Both with positions in one list of labels: a challenger may know classes that the champion does not."""
    labels = tuple(dict.fromkeys([*champion[0].labels, *challenger[0].labels]))
    if labels == champion[0].labels == challenger[0].labels:
        return champion, challenger
    return _moved(champion, labels), _moved(challenger, labels)


def _moved(judged: Judged, labels: tuple[str, ...]) -> Judged:
    predictions, references = judged
    places = np.array([labels.index(label) for label in predictions.labels], dtype=np.int64)

    def move(positions: NDArray[Any]) -> NDArray[Any]:
        # Below 0 are marks such as "no place", which mean the same everywhere.
        return np.where(positions >= 0, places[np.maximum(positions, 0)], positions)

    def spread(columns: NDArray[Any]) -> NDArray[Any]:
        found = np.zeros((*columns.shape[:-1], len(labels)), dtype=columns.dtype)
        found[..., places] = columns
        return found

    scores = None if predictions.scores is None else spread(predictions.scores)
    if scores is not None and scores.ndim == predictions.values.ndim == 2:
        # Any number of labels a row: what is held of each is a column, not a position.
        return Predictions(spread(predictions.values), scores, labels), spread(references)
    return Predictions(move(predictions.values), scores, labels), move(references)

"""Which classes are taken for which, and the wrong answers that were given most confidently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Predictions
from tuneloop.pipeline.comparing.comparison import Judged
from tuneloop.pipeline.evaluating.wrong import Wrongness

_PAIRS = 15
_ROWS_SHOWN = 20
_ERRORS = 30


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """A class that is taken for another.

    Attributes:
        right: The right label.
        answered: What was answered.
        count: How often.
        share: Of all references with the right label.
        positions: Rows where it happened, as positions among the rows looked at.
    """

    right: str
    answered: str
    count: int
    share: float
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer: its row, what was right, what was answered, and how sure the model was, or how far off."""

    position: int
    right: str
    answered: str
    weight: float


def confused_pairs(judged: Judged) -> tuple[ConfusedPair, ...]:
    """The pairs of classes that are confused most often; none where an answer is no single class."""
    predictions, references = judged
    labels, values = predictions.labels, predictions.values
    if not labels or values.shape != references.shape or _many(predictions):
        return ()
    at = np.argwhere((values != references) & (references >= 0) & (values >= 0))
    cells = tuple(at.T)
    pairs = np.stack([references[cells], values[cells]], axis=1)
    found = []
    for right, answered in {(int(a), int(b)) for a, b in pairs}:
        mine = (pairs == (right, answered)).all(axis=1)
        rows = dict.fromkeys(at[mine, 0].tolist())
        share = float(mine.sum() / (references == right).sum())
        pair = ConfusedPair(labels[right], labels[answered], int(mine.sum()), share, tuple(rows)[:_ROWS_SHOWN])
        found.append(pair)
    return tuple(sorted(found, key=lambda one: (-one.count, -one.share, one.right, one.answered))[:_PAIRS])


def worst_mistakes(judged: Judged, wrong: Wrongness) -> tuple[Mistake, ...]:
    """The wrong answers of which the model was surest; where it names no confidence, those that are furthest off."""
    predictions, references = judged
    at = np.flatnonzero(wrong.values > 0)
    weight = wrong.values if wrong.confidence is None else wrong.confidence
    order = at[np.argsort(-weight[at], kind="stable")][:_ERRORS]
    found = []
    for row in order.tolist():
        pair = references[row], predictions.values[row]
        # Of a row of words the few that are wrong; all others are noise to whoever reads it.
        apart = _apart(*pair) if predictions.labels and pair[1].shape and not _many(predictions) else None
        right, answered = (_said(predictions, one, apart) for one in pair)
        found.append(Mistake(row, right, answered, float(weight[row])))
    return tuple(found)


def _many(predictions: Predictions) -> bool:
    """Whether a row has any number of labels."""
    return predictions.values.ndim == 2 and predictions.scores is not None and predictions.scores.ndim == 2


def _apart(right: NDArray[np.integer], answered: NDArray[np.integer]) -> list[int]:
    """The words whose right tag was not answered; a word without a right one is not judged."""
    return np.flatnonzero((right != answered) & (right != NO_PLACE)).tolist()


def _said(predictions: Predictions, value: Any, words: Sequence[int] | None = None) -> str:
    """An answer or a reference as a person reads it; of these words alone, where some are given."""
    labels = predictions.labels
    if isinstance(value, np.ndarray):
        if not labels:
            # How probable each token of the right text is: nothing was answered.
            return ""
        if _many(predictions):
            return ", ".join(labels[place] for place in np.flatnonzero(value == 1).tolist()) or "none"
        tags = ((place + 1, int(value[place])) for place in words or ())
        return ", ".join(f"word {number}: {labels[one] if 0 <= one < len(labels) else '?'}" for number, one in tags)
    if isinstance(value, tuple):
        return " | ".join(map(str, value))
    if labels:
        return labels[value] if 0 <= value < len(labels) else "?"
    return f"{float(value):.6g}" if isinstance(value, float | np.floating) else str(value)

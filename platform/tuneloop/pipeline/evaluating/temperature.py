"""The temperature of a model, fitted on its validation split."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT

Floats = NDArray[np.float64]

_LEAST_ROWS, _LEAST_WRONG = 50, 5
"""With fewer, nothing tells how sure the model may be: without a wrong answer the best fit is no doubt at all."""
_COLDEST, _HOTTEST = 0.05, 20.0
_HALVINGS = 50
_FOLDS = 5
_SEED = 11
_MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Fitted:
    """A temperature, 1 where logits are better left as they are, and why, in words."""

    temperature: float
    rows: int
    reason: str


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer], unit: str = "rows") -> Fitted:
    """The temperature that makes the right answers most likely; 1 unless it also does so on rows it is not fitted on.

    The negative log-likelihood is convex in 1/T, so halving the interval in which its slope changes sign finds it.

    Args:
        logits: `float [n, k]`.
        truth: Positions of the right labels, `int [n]`, none below 0.
        unit: What they are, in words.
    """
    if len(truth) > _MOST_ROWS:
        at = np.random.default_rng(_SEED).choice(len(truth), _MOST_ROWS, replace=False)
        logits, truth = logits[at], truth[at]
    rows = len(truth)
    wrong = int((logits.argmax(axis=1) != truth).sum()) if rows else 0
    if rows < _LEAST_ROWS or wrong < _LEAST_WRONG:
        return Fitted(
            1.0,
            rows,
            f"left at 1: {wrong} wrong answers among {rows} validation {unit} are too few to tell "
            f"({_LEAST_WRONG} among {_LEAST_ROWS} would do)",
        )
    away = np.asarray(logits, dtype=np.float64)
    away = away - away.max(axis=1, keepdims=True)
    fold = np.random.default_rng(_SEED).permutation(rows) % _FOLDS
    before = after = 0.0
    for part in range(_FOLDS):
        mine = fold == part
        found = _best(away[~mine], truth[~mine])
        before += _loss(away[mine], truth[mine], 1.0) * mine.sum()
        after += _loss(away[mine], truth[mine], 1.0 / found) * mine.sum()
    said = f"log loss on rows it was not fitted on {before / rows:.4f} -> {after / rows:.4f}"
    if after >= before:
        return Fitted(1.0, rows, f"left at 1: {said} ({_FOLDS} folds)")
    return Fitted(_best(away, truth), rows, f"{said} ({_FOLDS} folds of {rows} validation {unit})")


def labelled(logits: NDArray[np.floating], targets: NDArray[np.integer]) -> tuple[Floats, NDArray[np.int64]]:
    """Logits `[m, k]` and positions `[m]` of all rows, or words, that have a label the model knows.

    Args:
        logits: `float [n, k]`, or `float [n, places, k]` filled with `ABSENT`.
        targets: `int [n]`, or `int [n, words]`; below 0 where there is no label or an unknown one.
    """
    if logits.ndim == 2:
        known = targets >= 0
        return np.asarray(logits[known], np.float64), np.asarray(targets[known], np.int64)
    found, truth = [], []
    for row, right in zip(logits, targets, strict=True):
        words = row[row[:, 0] > ABSENT / 2]
        here = right[: len(words)]
        words = words[: len(here)]
        found.append(words[here >= 0])
        truth.append(here[here >= 0])
    empty = np.zeros((0, logits.shape[2]))
    return np.concatenate([empty, *found]).astype(np.float64), np.concatenate([np.zeros(0, np.int64), *truth])


def decisions(logits: NDArray[np.floating], targets: NDArray[np.floating]) -> tuple[Floats, NDArray[np.int64]]:
    """Every label of every row as a row of two classes, it does not apply and it does: `[n * k, 2]` and `[n * k]`.

    The softmax of 0 and a logit is the logistic function of the logit, and the log loss is binary cross entropy: one
    temperature for all labels is found as that of classes is.

    Args:
        logits: `float [n, k]`, one a label.
        targets: 1 where a label applies, 0 elsewhere, `float [n, k]`.
    """
    given = np.asarray(logits, np.float64).reshape(-1)
    return np.stack([np.zeros_like(given), given], axis=1), (targets > 0.5).reshape(-1).astype(np.int64)


def likeliest(scores: Floats, truth: NDArray[np.integer]) -> Floats:
    """The softmax of scores, with the sharpness under which the truth is likeliest; `float64 [n, k]`."""
    away = scores - scores.max(axis=1, keepdims=True)
    weights = np.exp(away / _best(away, truth))
    found: Floats = weights / weights.sum(axis=1, keepdims=True)
    return found


def _best(away: Floats, truth: NDArray[np.integer]) -> float:
    low, high = math.log(1 / _HOTTEST), math.log(1 / _COLDEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _slope(away, truth, math.exp(middle)) > 0:
            high = middle
        else:
            low = middle
    return math.exp(-(low + high) / 2)


def _slope(away: Floats, truth: NDArray[np.integer], inverse: float) -> float:
    """The derivative of the log loss by 1/T: what the logits are expected to be, less what those of the truth are."""
    weights = np.exp(away * inverse)
    expected = (weights * away).sum(axis=1) / weights.sum(axis=1)
    return float((expected - away[np.arange(len(truth)), truth]).mean())


def _loss(away: Floats, truth: NDArray[np.integer], inverse: float) -> float:
    scaled = away * inverse
    return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]).mean())

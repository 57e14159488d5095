"""What some answers were worth: coverage, delay, and scores with their intervals, from rows that were judged."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.accuracy.answers import Answers, Pairs
from tuneloop.monitoring.accuracy.confusion import SCORES, confusion, macro
from tuneloop.monitoring.accuracy.estimate import Estimate
from tuneloop.monitoring.accuracy.intervals import Floats, Interval, bootstrap, difference, mean, resample, root, wilson

_MOST_RESAMPLED = 20_000
"""More values have a mean whose interval the normal approximation gives as well."""
_FEW_COVERED = 0.2


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one version, in one window and one slice where those are asked for.

    Attributes:
        version: Who answered.
        window: First Unix second of the window; None: all times.
        slice: A slice and its value; None: all rows.
        rows: Answers.
        labelled: Those with a label that fits.
        invalid: Those with a label that does not.
        delay: Seconds until the last label came: half, and 95 of 100, took no longer; None without labels.
        scores: `accuracy`, and `macro_f1`, `macro_precision`, `macro_recall`, or for numbers `mae` and `rmse`, each
            with its 95 % interval; empty without labels.
        estimate: What calibrated confidence expects; None where it was not asked for or cannot be told.
        notes: What to keep in mind, such as few labels.
    """

    version: str
    window: float | None
    slice: tuple[str, str] | None
    rows: int
    labelled: int
    invalid: int
    delay: tuple[float, float] | None
    scores: Mapping[str, Interval]
    estimate: Estimate | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def coverage(self) -> float:
        """Share of the answers that have a label."""
        return (self.labelled + self.invalid) / self.rows


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger against a champion.

    Attributes:
        champion: The version it is measured by.
        challenger: The other one.
        paired: Whether both answered the same rows, which tells more.
        rows: Labelled rows of the champion and of the challenger.
        gains: By score, `challenger - champion` with its 95 % interval.
        notes: What to keep in mind.
    """

    champion: str
    challenger: str
    paired: bool
    rows: tuple[int, int]
    gains: Mapping[str, Interval]
    notes: tuple[str, ...] = ()


def scores_of(answers: Answers, at: NDArray[np.int64], seed: int) -> dict[str, Interval]:
    """The scores of the labelled ones among some rows, by name.

    Accuracy has a Wilson interval, scores by class and errors of numbers a bootstrapped one (BCa); the errors of more
    than 20,000 rows the normal approximation.
    """
    at = at[np.isfinite(answers.error[at])]
    right = wilson(float(answers.right[at].sum()), len(at))
    if right is None:
        return {}
    found = {"accuracy": right}
    classed = at[(answers.truth[at] >= 0) & (answers.answered[at] >= 0)]
    if len(classed):
        cells = _table(answers.truth[classed], answers.answered[classed])
        for score in reversed(SCORES):
            found[f"macro_{score}"] = bootstrap(cells, functools.partial(macro, score=score), seed=seed)
    elif answers.numbers:
        sizes = np.abs(answers.error[at])
        found["mae"] = _mean(sizes, seed)
        found["rmse"] = root(_mean(sizes**2, seed))
    return found


def notes_of(found: Figures, *, min_labels: int, until: float, now: float) -> tuple[str, ...]:
    """What keeps figures from being taken at face value.

    Args:
        found: The figures.
        min_labels: Fewer are too few to judge by.
        until: End of their window, or time of the last answer, in Unix seconds.
        now: Unix seconds.
    """
    notes = []
    if found.labelled == 0:
        notes.append("no labels")
    elif found.labelled < min_labels:
        notes.append(f"few labels: {found.labelled} of the {min_labels} that are needed to judge")
    if found.labelled and found.coverage < _FEW_COVERED:
        notes.append(f"labels of {found.coverage:.1%} of the answers: they need not be a fair sample")
    if found.invalid:
        notes.append(f"{found.invalid} labels do not fit their answers")
    if found.delay is not None and until + found.delay[1] > now:
        notes.append("labels may still come")
    return tuple(notes)


def compare_pairs(pairs: Pairs, seed: int, min_labels: int) -> Comparison:
    """Champion and challenger on the same rows, with paired bootstrap intervals."""
    first, second = pairs.right
    kinds = np.bincount(first * 2 + second, minlength=4)
    gains = {"accuracy": bootstrap(kinds, _gain, seed=seed)}
    if (pairs.truth >= 0).all() and all((one >= 0).all() for one in pairs.answered):
        gains["macro_f1"] = _paired_f1(pairs, seed)
    elif pairs.numbers:
        gains["mae"] = _mean(np.abs(pairs.errors[1]) - np.abs(pairs.errors[0]), seed)
    rows = len(first)
    notes = (f"few labels: {rows} of the {min_labels} that are needed to judge",) if rows < min_labels else ()
    return Comparison(pairs.champion, pairs.challenger, True, (rows, rows), gains, notes)


def compare_apart(champion: Figures, challenger: Figures, min_labels: int, *, same_time: bool) -> Comparison:
    """Two versions that answered different rows; intervals are those of independent samples."""
    shared = [name for name in challenger.scores if name in champion.scores]
    gains = {name: difference(challenger.scores[name], champion.scores[name]) for name in shared}
    notes = ["different rows" if same_time else "different rows at different times: the traffic may have changed too"]
    fewest = min(champion.labelled, challenger.labelled)
    if fewest < min_labels:
        notes.append(f"few labels: {fewest} of the {min_labels} that are needed to judge")
    rows = (champion.labelled, challenger.labelled)
    return Comparison(champion.version, challenger.version, False, rows, gains, tuple(notes))


def delay_of(answers: Answers, at: NDArray[np.int64]) -> tuple[float, float] | None:
    """Half, and 95 of 100, of the labels came within so many seconds."""
    waited = (answers.labelled - answers.time)[at]
    waited = np.maximum(waited[np.isfinite(waited)], 0.0)
    return None if not len(waited) else (float(np.median(waited)), float(np.quantile(waited, 0.95)))


def _gain(cells: Floats) -> Floats:
    """From rows where neither, the second, the first, or both were right: how much more often the second was."""
    gain: Floats = (cells[..., 1] - cells[..., 2]) / cells.sum(axis=-1)
    return gain


def _paired_f1(pairs: Pairs, seed: int) -> Interval:
    """The difference of macro F1 where rows are drawn with both answers to them."""
    classes, truth = _renumbered(pairs.truth, *pairs.answered)
    count = len(classes)
    triples, cells = np.unique(np.stack(truth), axis=1, return_counts=True)
    which = [np.zeros((len(cells), count * count)) for _ in range(2)]
    for place, table in enumerate(which):
        table[np.arange(len(cells)), triples[0] * count + triples[place + 1]] = 1.0

    def gained(some: Floats) -> Floats:
        return macro(some @ which[1]) - macro(some @ which[0])

    return bootstrap(cells, gained, seed=seed)


def _table(truth: NDArray[np.int64], answered: NDArray[np.int64]) -> NDArray[np.int64]:
    """A confusion table of the classes that occur."""
    classes, (true, given) = _renumbered(truth, answered)
    return confusion(true, given, len(classes))


def _renumbered(*codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    classes, positions = np.unique(np.concatenate(codes), return_inverse=True)
    return classes, np.split(positions.reshape(-1).astype(np.int64), len(codes))


def _mean(values: Floats, seed: int) -> Interval:
    if len(values) <= _MOST_RESAMPLED:
        return resample(values, seed=seed)
    found = mean(float(values.sum()), float((values**2).sum()), len(values))
    return found if found is not None else Interval(math.nan, math.nan, math.nan)

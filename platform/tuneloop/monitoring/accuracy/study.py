"""Answers of a model by version, window and slice, and versions against each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.accuracy.answers import Answers, Pairs
from tuneloop.monitoring.accuracy.calibration import Calibration
from tuneloop.monitoring.accuracy.estimate import Estimate, estimate
from tuneloop.monitoring.accuracy.figures import (
    Comparison,
    Figures,
    compare_apart,
    compare_pairs,
    delay_of,
    notes_of,
    scores_of,
)

DAY, WEEK = 86_400.0, 604_800.0
_MONDAY = 4 * DAY
"""The first Monday after the Unix epoch: weeks begin on Mondays, at midnight UTC."""

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to look.

    Attributes:
        window: Seconds of a window; None: all times together. Days and weeks are those of the calendar, in UTC.
        min_labels: Fewer labels are too few to judge by; they are shown, and said to be few.
        seed: Of the bootstrap.
        now: Unix seconds.
    """

    window: float | None = None
    min_labels: int = 200
    seed: int = 0
    now: float = math.inf


@dataclass(frozen=True, slots=True)
class Study:
    """What was found: versions in order, each whole, then by window, then by slice; and comparisons of versions."""

    model: str
    figures: tuple[Figures, ...]
    comparisons: tuple[Comparison, ...]


def study(
    model: str,
    answers: Answers,
    pairs: Sequence[Pairs],
    calibrations: Mapping[str, Calibration],
    settings: Settings,
    against: str | None = None,
) -> Study:
    """Look at answers.

    Args:
        model: Whose.
        answers: As `read_answers` gives them.
        pairs: As `read_pairs` gives them.
        calibrations: By version; the others are not estimated.
        settings: How to look.
        against: Version that the others are compared with; None: only pairs are compared.
    """
    found: list[Figures] = []
    whole: dict[str, tuple[Figures, Positions]] = {}
    for version in sorted(set(answers.version.tolist()), key=_in_order):
        at = np.flatnonzero(answers.version == version)
        figures = _figures(answers, at, version, calibrations.get(version), settings)
        whole[version] = figures, at
        found.append(figures)
        for start, part in _windows(answers, at, settings.window):
            found.append(_figures(answers, part, version, calibrations.get(version), settings, window=start))
        for name, value, part in _slices(answers, at):
            found.append(_figures(answers, part, version, calibrations.get(version), settings, slice_=(name, value)))
    comparisons = [compare_pairs(pair, settings.seed, settings.min_labels) for pair in pairs]
    if against in whole:
        champion, mine = whole[against]
        for version, (challenger, other) in whole.items():
            if version != against and champion.labelled and challenger.labelled:
                same = _overlap(answers, mine, other)
                comparisons.append(compare_apart(champion, challenger, settings.min_labels, same_time=same))
    return Study(model, tuple(found), tuple(comparisons))


def _figures(
    answers: Answers,
    at: Positions,
    version: str,
    calibration: Calibration | None,
    settings: Settings,
    *,
    window: float | None = None,
    slice_: tuple[str, str] | None = None,
) -> Figures:
    known = np.isfinite(answers.labelled[at])
    fits = np.isfinite(answers.error[at])
    found = Figures(
        version=version,
        window=window,
        slice=slice_,
        rows=len(at),
        labelled=int(fits.sum()),
        invalid=int((known & ~fits).sum()),
        delay=delay_of(answers, at),
        scores=scores_of(answers, at, settings.seed),
        estimate=None if calibration is None else _estimate(answers, at, version, calibration),
    )
    whole = window is None or settings.window is None
    until = answers.time[at].max() if whole else float(window or 0.0) + float(settings.window or 0.0)
    return replace(found, notes=notes_of(found, min_labels=settings.min_labels, until=float(until), now=settings.now))


def _estimate(answers: Answers, at: Positions, version: str, calibration: Calibration) -> Estimate | None:
    known, scores = answers.scores.get(version, (np.empty(0, np.int64), np.empty((0, len(calibration.classes)))))
    chosen = scores[np.isin(known, at)]
    return estimate(calibration(chosen), chosen, chosen.argmax(axis=1)) if len(chosen) else None


def _windows(answers: Answers, at: Positions, size: float | None) -> Iterator[tuple[float, Positions]]:
    """The windows that hold answers, in order."""
    if size is None:
        return
    offset = _MONDAY if size == WEEK else 0.0
    starts = np.floor((answers.time[at] - offset) / size) * size + offset
    for start in np.unique(starts):
        yield float(start), at[starts == start]


def _slices(answers: Answers, at: Positions) -> Iterator[tuple[str, str, Positions]]:
    """The values of each slice, the most frequent first."""
    for name, values in answers.slices.items():
        found, counts = np.unique(values[at].astype(str), return_counts=True)
        for place in np.argsort(-counts, kind="stable"):
            yield name, str(found[place]), at[values[at] == found[place]]


def _overlap(answers: Answers, one: Positions, other: Positions) -> bool:
    """Whether two versions answered at the same time."""
    times = answers.time
    return bool(times[one].min() <= times[other].max() and times[other].min() <= times[one].max())


def _in_order(version: str) -> tuple[int, str]:
    return (int(version) if version.isdecimal() else 0, version)

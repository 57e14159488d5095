"""False alarms over a column of many categories: with a bin for each frequent one, and as `bins` makes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.bench.drift import online

from tuneloop.monitoring.bins import CategoryBins
from tuneloop.monitoring.formula import drift

_SHAPES = {"Zipf": 1.0, "equal": 0.0}
_SETTINGS = [
    (categories, shape, reference, window)
    for categories, shape in ((8, "Zipf"), (200, "Zipf"), (100, "equal"))
    for reference in (300, 1000, 5000)
    for window in (1000, 20_000)
]
_MOST = 50
_REFERENCES, _WINDOWS = 100, 20
_NOMINAL = 1.6449


@dataclass(frozen=True, slots=True)
class Folding:
    """Shares of clean windows that alarm, before rare categories were folded and now.

    Attributes:
        nominal: z above its one-sided .05 limit.
        alarms: z and PSI above those of the alert, among 20 signals.
    """

    categories: int
    shape: str
    reference_rows: int
    window_rows: int
    before_nominal: float
    nominal: float
    before_alarms: float
    alarms: float


def play(seed: int, part: float = 1.0) -> list[Folding]:
    """Every setting; each reference is compared with several windows.

    Args:
        seed: Of everything drawn.
        part: Share of the references, for a quick look.
    """
    random = np.random.default_rng([seed, 1])
    references = max(1, round(_REFERENCES * part))
    return [_setting(random, references, *setting) for setting in _SETTINGS]


def _setting(
    random: np.random.Generator, references: int, categories: int, shape: str, rows: int, window: int
) -> Folding:
    weights = 1 / np.arange(1, categories + 1) ** _SHAPES[shape]
    shares = weights / weights.sum()
    names = np.array([f"c{place}" for place in range(categories)], dtype=object)
    told: list[list[tuple[bool, bool]]] = [[], []]
    for _ in range(references):
        values = names[random.choice(categories, rows, p=shares)]
        kinds = (_frequent(values), CategoryBins.build("x", values))
        windows = random.multinomial(window, shares, size=_WINDOWS)
        for place, bins in enumerate(kinds):
            told[place] += _judge(bins, names, windows, rows)
    before, now = (np.array(one, dtype=float).mean(axis=0) for one in told)
    return Folding(categories, shape, rows, window, float(before[0]), float(now[0]), float(before[1]), float(now[1]))


def _judge(
    bins: CategoryBins, names: NDArray[np.object_], windows: NDArray[np.int64], rows: int
) -> list[tuple[bool, bool]]:
    place = bins.index(names)
    told = []
    for window in windows:
        found = drift(np.bincount(place, weights=window, minlength=len(bins.names)), bins.ratios, rows)
        assert found is not None
        told.append((found.zscore > _NOMINAL, online.holds(found)))
    return told


def _frequent(values: NDArray[np.object_]) -> CategoryBins:
    categories = tuple(sorted(text for text, _ in Counter(values.tolist()).most_common(_MOST)))
    empty = CategoryBins(label="x", categories=categories, counts=(0,) * (len(categories) + 2))
    counts = np.bincount(empty.index(values), minlength=len(categories) + 2)
    return CategoryBins(label="x", categories=categories, counts=tuple(int(count) for count in counts))

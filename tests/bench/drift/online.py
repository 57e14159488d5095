"""The alert rules, by the code that a server and the embedded watcher run: bins, counts, figures, condition, hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.bins import CategoryBins, NumberBins
from tuneloop.monitoring.formula import Drift, corrected, drift
from tuneloop.monitoring.rules import WatchValues

RULES = WatchValues("bench", window=3600.0, scrape_interval=120.0)
STEPS = round(RULES.window / RULES.scrape_interval)
"""Evaluations a window."""
TESTS = 20
"""Signals that are watched at once, in one window."""
_HOLD = math.ceil(RULES.hold / RULES.scrape_interval)

Bins = NumberBins | CategoryBins


def make_bins(kind: str, values: NDArray[Any]) -> Bins:
    """Bins of a reference, as `profile` makes them."""
    return NumberBins.build("x", values) if kind == "number" else CategoryBins.build("x", _texts(values))


def count(bins: Bins, values: NDArray[Any]) -> NDArray[np.int64]:
    """How many values are in each bin, `int64 [bins]`."""
    given = values if bins.kind == "number" else _texts(values)
    return np.bincount(bins.index(given), minlength=len(bins.names))


def slide(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts a step, `[steps, bins]`, as counts of the window that ends with each step, `[steps - STEPS + 1, bins]`."""
    sums = np.concatenate([np.zeros((1, counts.shape[1]), dtype=counts.dtype), counts.cumsum(axis=0)])
    return sums[STEPS:] - sums[:-STEPS]


def figures(bins: Bins, windows: NDArray[np.int64]) -> list[Drift]:
    """The figures of each window."""
    rows = sum(bins.counts)
    found = [drift(window, bins.ratios, rows) for window in windows]
    return [one for one in found if one is not None]


def holds(found: Drift, psi: float = RULES.psi, zscore: float = RULES.zscore, min_rows: int = RULES.min_rows) -> bool:
    """The alert's condition, as `rules` writes it; `psi`, `zscore` and `min_rows` are those of the project."""
    return found.zscore > corrected(zscore, TESTS) and found.psi > psi and found.rows >= min_rows


def firing(conditions: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the alert fires at each evaluation: the condition has held for a quarter of the window, `bool [n]`."""
    fires = np.zeros(len(conditions), dtype=bool)
    run = 0
    for place, true in enumerate(conditions):
        run = run + 1 if true else 0
        fires[place] = run > _HOLD
    return fires


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(str).astype(object)

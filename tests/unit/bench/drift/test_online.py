from __future__ import annotations

import numpy as np
from tests.bench.drift import online

from tuneloop.monitoring.formula import Drift


def test_windows_are_sums_of_their_steps() -> None:
    counts = np.arange(2 * (online.STEPS + 3)).reshape(-1, 2)
    windows = online.slide(counts)
    assert windows.shape == (4, 2)
    for start, window in enumerate(windows):
        np.testing.assert_array_equal(window, counts[start : start + online.STEPS].sum(axis=0))


def test_an_alert_fires_once_its_condition_held_for_a_quarter_of_the_window() -> None:
    """Prometheus: true at an evaluation, and at each one since at least `for` seconds before."""
    hold = round(online.RULES.hold / online.RULES.scrape_interval + 0.5)
    conditions = np.ones(hold + 3, dtype=bool)
    assert np.flatnonzero(online.firing(conditions))[0] == hold
    conditions[hold - 1] = False
    assert not online.firing(conditions).any()


def test_the_condition_is_that_of_the_rules() -> None:
    assert online.holds(Drift(psi=0.06, zscore=3.9, rows=1000))
    assert not online.holds(Drift(psi=0.05, zscore=3.9, rows=1000))
    assert not online.holds(Drift(psi=0.06, zscore=3.8, rows=1000))
    assert not online.holds(Drift(psi=0.06, zscore=3.9, rows=999))
    assert online.holds(Drift(psi=0.02, zscore=3.9, rows=1000), 0.01)


def test_categories_and_missing_numbers_are_counted_in_their_bins() -> None:
    bins = online.make_bins("category", np.array([0, 0, 1]))
    assert online.count(bins, np.array([0, 99])).tolist() == [1, 0, 1, 0]
    numbers = online.make_bins("number", np.arange(50.0))
    assert online.count(numbers, np.array([np.nan]))[-1] == 1

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.bench.drift.score import episodes, first, limit_for, power, share_above, upper


def test_a_run_of_alarms_is_one_episode() -> None:
    assert episodes(np.array([True, True, False, True, False, False, True])) == 3
    assert episodes(np.zeros(4, dtype=bool)) == 0


def test_the_first_alarm() -> None:
    assert first(np.array([False, True, True]), np.array([0.5, 1.0, 1.5])) == 1.0
    assert first(np.array([False]), np.array([0.5])) == math.inf


def test_power_counts_trials_without_an_alarm() -> None:
    found = power([1.0, 2.0, math.inf, 3.0])
    assert (found.found, found.trials, found.share, found.delay) == (3, 4, 0.75, 2.5)
    assert power([math.inf, math.inf, 1.0]).delay == math.inf


def test_the_limit_that_finds_as_many() -> None:
    best = [0.1, 0.9, 0.5, 0.7]
    assert limit_for(best, 3) == 0.5
    assert sum(score >= limit_for(best, 3) for score in best) == 3
    assert limit_for(best, 0) == math.inf


def test_power_at_a_limit_that_clean_scores_do_not_pass() -> None:
    clean = np.array([0.1, 0.6, 0.2])
    assert share_above([0.5, 0.7, 0.9, 0.6], clean, 0) == 0.5
    assert share_above([0.5, 0.7, 0.9, 0.6], clean, 1) == 1.0


def test_the_upper_bound_of_no_events_is_the_rule_of_three() -> None:
    assert upper(0, 100) == pytest.approx(0.02996, abs=1e-4)
    assert upper(5, 1) == pytest.approx(10.513, abs=1e-3)

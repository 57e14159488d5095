"""Intervals hold what they promise: by simulation, and against scikit-learn and SciPy where those know the figure."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import f1_score, precision_score, recall_score

from tuneloop.monitoring.accuracy.confusion import accuracy, confusion, macro
from tuneloop.monitoring.accuracy.intervals import (
    Interval,
    bootstrap,
    difference,
    mean,
    resample,
    root,
    wilson,
)

WORLDS = 1000
"""Samples; of 1,000, a right interval covers in 936 to 964 (two standard errors)."""
FEWER = 400
"""Where each sample is a bootstrap of its own; two standard errors are 22 of 1,000."""


def covered(found: list[Interval], truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in found]))


@given(st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_is_the_score_interval(counts: tuple[int, int]) -> None:
    right, total = counts
    found = wilson(right, total)
    expected = binomtest(right, total).proportion_ci(method="wilson")
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=2e-5)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_nothing_has_no_interval() -> None:
    assert wilson(0, 0) is None
    assert mean(0, 0, 0) is None


def test_a_mean_from_sums_covers() -> None:
    random = np.random.default_rng(1)
    draws = random.gamma(2.0, size=(WORLDS, 400))
    found = [mean(row.sum(), (row**2).sum(), len(row)) for row in draws]
    assert 0.93 <= covered([one for one in found if one], 2.0) <= 0.97
    squares = [mean((row**2).sum(), (row**4).sum(), len(row)) for row in draws]
    roots = [root(one) for one in squares if one]
    assert 0.92 <= covered(roots, math.sqrt(6.0)) <= 0.97
    assert root(Interval(1.0, -0.5, 4.0)) == Interval(1.0, 0.0, 2.0)


@pytest.mark.parametrize("rows", [60, 300])
@pytest.mark.parametrize("figure", ["accuracy", "f1"])
def test_the_bootstrap_of_a_confusion_table_covers(rows: int, figure: str) -> None:
    random = np.random.default_rng(rows)
    shares = np.array([[0.35, 0.05, 0.02], [0.06, 0.25, 0.04], [0.03, 0.05, 0.15]]).ravel()
    statistic = accuracy if figure == "accuracy" else functools.partial(macro, score=figure)
    truth = float(statistic(shares))
    tables = random.multinomial(rows, shares, size=FEWER)
    found = [bootstrap(table, statistic, seed=seed, draws=500) for seed, table in enumerate(tables)]
    assert 0.93 <= covered(found, truth) <= 0.97


def test_the_bootstrap_of_skewed_values_covers() -> None:
    random = np.random.default_rng(5)
    found = [resample(random.exponential(size=100), seed=seed, draws=500) for seed in range(FEWER)]
    assert 0.92 <= covered(found, 1.0) <= 0.97


def test_the_bootstrap_is_scipys() -> None:
    values = np.random.default_rng(6).lognormal(size=80)
    found = resample(values, draws=20_000)
    expected = scipy_bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", random_state=1).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=0.02)
    cells = np.array([30, 7, 3])
    rows = np.repeat([0.0, 1.0, 5.0], cells)
    counted = bootstrap(cells, lambda some: some @ np.array([0.0, 1.0, 5.0]) / some.sum(axis=-1), draws=20_000)
    expected = scipy_bootstrap((rows,), np.mean, n_resamples=20_000, method="BCa", random_state=1).confidence_interval
    assert (counted.low, counted.high) == pytest.approx(tuple(expected), rel=0.04)


def test_paired_rows_tell_more_than_two_samples() -> None:
    """Champion and challenger answer the same rows, and are mostly right about the same ones."""
    both, first, second, neither = 0.80, 0.03, 0.06, 0.11
    random = np.random.default_rng(7)
    paired, apart = [], []
    gain = np.array([0.0, -1.0, 1.0, 0.0])
    for seed, cells in enumerate(random.multinomial(500, [both, first, second, neither], size=FEWER)):
        paired.append(bootstrap(cells, lambda some: some @ gain / some.sum(axis=-1), seed=seed, draws=500))
        right = [wilson(cells[0] + cells[place], 500) for place in (2, 1)]
        assert right[0] is not None
        assert right[1] is not None
        apart.append(difference(right[0], right[1]))
    assert 0.93 <= covered(paired, 0.03) <= 0.97
    assert covered(apart, 0.03) > 0.97
    assert np.mean([one.high - one.low for one in paired]) < 0.75 * np.mean([one.high - one.low for one in apart])


def test_the_difference_of_independent_shares_covers() -> None:
    random = np.random.default_rng(8)
    found = []
    for one, other in zip(random.binomial(300, 0.9, WORLDS), random.binomial(80, 0.8, WORLDS), strict=True):
        shares = wilson(one, 300), wilson(other, 80)
        assert shares[0] is not None
        assert shares[1] is not None
        found.append(difference(*shares))
    assert 0.93 <= covered(found, 0.1) <= 0.97


@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_macro_scores_are_scikit_learns(rows: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, answered = random.integers(0, classes, size=(2, rows))
    cells = confusion(truth, answered, classes).astype(np.float64)
    for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        expected = score(truth, answered, average="macro", zero_division=0)
        assert float(macro(cells, name)) == pytest.approx(expected)
    assert float(accuracy(cells)) == pytest.approx((truth == answered).mean())


def test_one_row_and_perfect_answers_do_not_break() -> None:
    assert bootstrap(np.array([1, 0, 0, 0]), accuracy) == Interval(1.0, 1.0, 1.0)
    assert resample(np.array([3.0])) == Interval(3.0, 3.0, 3.0)


def test_a_seed_makes_it_repeatable() -> None:
    cells = np.array([50, 4, 6, 40])
    assert bootstrap(cells, macro, seed=3) == bootstrap(cells, macro, seed=3)
    assert bootstrap(cells, macro, seed=3) != bootstrap(cells, macro, seed=4)

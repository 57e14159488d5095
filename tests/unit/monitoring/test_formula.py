from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuneloop.monitoring.bins import NumberBins
from tuneloop.monitoring.formula import corrected, drift, wilson_upper, zscore


def test_an_empty_window_has_no_figures() -> None:
    assert drift(np.zeros(3), np.array([0.2, 0.3, 0.5]), 100) is None


def test_equal_shares_have_no_drift_and_a_shift_has() -> None:
    ratios = np.full(10, 0.1)
    same = drift(np.full(10, 1000.0), ratios, 10_000)
    moved = drift(np.array([500.0] * 5 + [1500.0] * 5), ratios, 10_000)
    assert same is not None
    assert moved is not None
    assert same.psi == pytest.approx(0, abs=1e-9)
    assert same.zscore < 0
    assert moved.psi > 0.05
    assert moved.zscore > 20
    assert moved.rows == 10_000


@pytest.mark.parametrize(("rows", "reference"), [(1000, 1000), (1000, 5000), (5000, 1000)])
def test_false_alarms_are_as_rare_as_chi_squared_says(rows: int, reference: int) -> None:
    """Clean streams over the bins that are really used, `low`, `high` and `missing` included."""
    random = np.random.default_rng(rows + reference)
    limit = stats.norm.ppf(0.95)
    alarms = 0
    repeats = 600
    for _ in range(repeats):
        bins = NumberBins.build("x", random.standard_normal(reference))
        counts = np.bincount(bins.index(random.standard_normal(rows)), minlength=len(bins.names))
        found = drift(counts, bins.ratios, reference)
        assert found is not None
        assert found.zscore < 4.5
        alarms += found.zscore > limit
    assert 0.005 <= alarms / repeats <= 0.075


def test_the_z_score_is_the_chi_squared_quantile() -> None:
    for freedom in (3, 9, 12):
        chi2 = stats.chi2.ppf(0.999, freedom)
        assert zscore(chi2 * (1 / 500 + 1 / 800), 500, 800, freedom) == pytest.approx(stats.norm.ppf(0.999), abs=0.05)


@given(st.integers(1, 500), st.data())
def test_the_wilson_bound_is_the_statisticians_one(total: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, total))
    interval = stats.binomtest(right, total).proportion_ci(0.95, method="wilson")
    assert wilson_upper(right, total) == pytest.approx(interval.high, abs=1e-4)
    assert wilson_upper(0, 0) == 1


@given(st.floats(0.5, 6), st.integers(1, 10_000))
def test_a_corrected_limit_has_no_more_false_alarms_than_one_test(z: float, tests: int) -> None:
    """At most Bonferroni's level, and not less than a fifth of it: little power is lost."""
    together = tests * stats.norm.sf(corrected(z, tests))
    assert together <= stats.norm.sf(z) * (1 + 1e-9)
    assert together >= stats.norm.sf(z) / 5

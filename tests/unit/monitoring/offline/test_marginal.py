from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuneloop.monitoring.bins import CategoryBins, NumberBins
from tuneloop.monitoring.formula import drift, smoothed, stability
from tuneloop.monitoring.offline.marginal import SignalTest, compare, compare_counts, judge, permutation_pvalue
from tuneloop.monitoring.offline.samples import Sample, as_objects


def draw(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count) + shift


def test_psi_and_z_are_those_of_the_alert_rules() -> None:
    before, now = draw(500, 1), draw(800, 2, 0.3)
    found = compare(Sample("x", "number", before, now), draws=99)
    bins = NumberBins.build("x", before)
    counts = np.bincount(bins.index(now), minlength=len(bins.names))
    expected = drift(counts, bins.ratios, 500)
    assert expected is not None
    assert (found.psi, found.zscore) == (expected.psi, expected.zscore)
    assert found.bins == bins.names
    assert found.current == tuple(counts)
    assert found.pvalue == 0.01


@pytest.mark.parametrize(("categories", "reference", "rows"), [(4, 40, 40), (30, 50, 200), (200, 100, 1000)])
def test_false_alarms_are_as_rare_as_said_where_categories_are_sparse(
    categories: int, reference: int, rows: int
) -> None:
    """Where z, by chi-squared, alarms in up to nine of ten clean samples."""
    random = np.random.default_rng(categories)
    weights = 1 / np.arange(1, categories + 1)

    def sample(count: int) -> np.ndarray:
        return as_objects([str(v) for v in random.choice(categories, count, p=weights / weights.sum())])

    pvalues = [
        compare(Sample(str(i), "category", sample(reference), sample(rows)), draws=199).pvalue for i in range(120)
    ]
    alarms = sum(pvalue <= 0.05 for pvalue in pvalues)
    assert alarms <= stats.binom.ppf(0.9999, len(pvalues), 0.05)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=6))
def test_a_p_value_is_one_whatever_the_counts(pairs: list[tuple[int, int]]) -> None:
    counts = np.array(pairs, dtype=np.int64).T
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] and counts.sum(axis=1).all():
        assert 0.01 <= permutation_pvalue(counts, np.random.default_rng(0), draws=99) <= 1


def test_equal_counts_are_no_surprise() -> None:
    assert permutation_pvalue(np.array([[10, 20], [10, 20]]), np.random.default_rng(0), draws=99) == 1


def test_a_test_of_two_categories_agrees_with_fisher() -> None:
    counts = np.array([[30, 10], [18, 22]])
    found = permutation_pvalue(counts, np.random.default_rng(0), draws=19_999)
    assert found == pytest.approx(stats.fisher_exact(counts).pvalue, abs=0.004)


def test_stability_of_many_counts_at_once_is_that_of_each() -> None:
    counts = np.array([[[5, 3, 0], [1, 2, 9]]])
    ratios = smoothed(np.array([4, 4, 4]))
    together = stability(counts, ratios)
    assert together.shape == (1, 2)
    assert together[0, 1] == stability(counts[0, 1], ratios)


def test_counts_alone_are_enough_for_a_test() -> None:
    bins = CategoryBins.build("x", as_objects(["a"] * 60 + ["b"] * 40))
    same = compare_counts(bins, as_objects(["a"] * 61 + ["b"] * 39))
    moved = compare_counts(bins, as_objects(["a"] * 10 + ["b"] * 80 + ["new"] * 10))
    assert same.pvalue > 0.5
    assert moved.pvalue < 1e-6
    assert moved.current[-2] == 10
    with pytest.raises(ValueError, match="no current rows"):
        compare_counts(bins, as_objects([]))


def verdicts(*tests: SignalTest) -> dict[str, str]:
    return {test.label: test.verdict for test in judge(list(tests), 0.05, 0.05)}


def test_what_follows() -> None:
    rows = 4000
    assert verdicts(
        compare(Sample("moved", "number", draw(rows, 1), draw(rows, 2, 0.5))),
        compare(Sample("a little", "number", draw(rows, 3), draw(rows, 4, 0.15))),
        compare(Sample("same", "number", draw(rows, 5), draw(rows, 6))),
    ) == {"moved": "drift", "a little": "small", "same": "stable"}


def test_few_rows_are_not_called_stable() -> None:
    assert verdicts(compare(Sample("few", "number", draw(30, 1), draw(30, 2)))) == {"few": "unclear"}


def test_the_most_surprising_comes_first() -> None:
    tests = [
        compare(Sample("same", "number", draw(500, 1), draw(500, 2))),
        compare(Sample("moved", "number", draw(500, 3), draw(500, 4, 1.0))),
    ]
    assert [test.label for test in judge(tests, 0.05, 0.05)] == ["moved", "same"]
    assert judge([], 0.05, 0.05) == ()

from __future__ import annotations

import math

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.monitoring.bins import CategoryBins, NumberBins
from tuneloop.monitoring.formula import corrected, drift

numbers = st.one_of(st.floats(), st.integers(-5, 5).map(float), st.just(math.nan))
texts = st.one_of(st.none(), st.text(max_size=100), st.sampled_from(["missing", "unseen", "=unseen", "a", "b"]))


def objects(values: list[str | None]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@given(st.lists(numbers, max_size=60), st.lists(numbers, max_size=60))
def test_every_number_lands_in_exactly_the_bin_that_says_so(reference: list[float], values: list[float]) -> None:
    bins = NumberBins.build("x", np.array(reference))
    assert sum(bins.counts) == len(reference)
    assert bins.ratios.min() > 0
    assert bins.ratios.sum() == pytest.approx(1)
    assert len(bins.names) == len(bins.starts) + 3 <= 13
    ends = [*bins.starts[1:], bins.high]
    for value, index in zip(values, bins.index(np.array(values)), strict=True):
        inner = [
            i
            for i, (start, end) in enumerate(zip(bins.starts, ends, strict=False))
            if start <= value < end or (i == len(bins.starts) - 1 and start <= value <= end)
        ]
        if math.isnan(value):
            expected = "missing"
        elif inner:
            assert len(inner) == 1
            expected = bins.names[inner[0] + 1]
        else:
            expected = "low" if bins.starts and value < bins.starts[0] else "high"
        assert bins.names[index] == expected


@given(st.lists(texts, max_size=60), st.lists(texts, max_size=60))
def test_every_category_lands_in_exactly_one_bin(reference: list[str | None], values: list[str | None]) -> None:
    bins = CategoryBins.build("x", objects(reference), most=5)
    assert len(bins.categories) <= 5
    assert sum(bins.counts) == len(reference)
    assert bins.ratios.min() > 0
    assert bins.ratios.sum() == pytest.approx(1)
    for value, index in zip(values, bins.index(objects(values)), strict=True):
        if value is None:
            assert bins.names[index] == "missing"
        elif value in bins.categories:
            assert bins.categories[index] == value
        else:
            assert bins.names[index] == "unseen"


def test_bins_have_equal_shares_and_frequent_values_their_own() -> None:
    even = NumberBins.build("x", np.arange(1000.0))
    assert even.counts == (0, *[100] * 10, 0, 0)
    zeros = NumberBins.build("x", np.concatenate([np.zeros(850), np.arange(1, 151)]))
    assert zeros.starts[:2] == (0.0, 1.0)
    assert zeros.counts[1] == 850
    assert NumberBins.build("x", np.array([0.0] * 5 + [1.0] * 95)).starts == (0.0, 1.0)


def test_special_names_and_long_texts_stay_apart() -> None:
    values = ["missing", "unseen", "=unseen", "y" * 200 + "1", "y" * 200 + "2", "\ud800", None] * 2
    bins = CategoryBins.build("x", objects(values))
    assert len(set(bins.names)) == len(bins.names) == 7
    assert bins.names[-2:] == ("unseen", "missing")
    assert "\ud800" not in bins.categories


def test_rare_categories_are_counted_together_where_more_are_to_come() -> None:
    frequent = ["a"] * 60 + ["b"] * 20 + ["c"]
    assert CategoryBins.build("x", objects(frequent)).categories == ("a", "b", "c")
    many = CategoryBins.build("x", objects(frequent + [f"rare {i}" for i in range(19)]))
    assert many.categories == ("a", "b")
    assert many.counts == (60, 20, 20, 0)


@pytest.mark.parametrize(("categories", "tail", "rows"), [(200, 1.0, 1000), (200, 1.0, 300), (100, 0.0, 1000)])
def test_many_categories_do_not_alarm_by_accident(categories: int, tail: float, rows: int) -> None:
    """Zipf or equal shares; windows hold much more than the reference. With the 50 most frequent, 5 to 59 in 100 do.

    Equal shares of about as many rows as a bin needs are the worst case: which of them get one is all chance.
    """
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, categories + 1) ** tail
    names = np.array([f"c{place}" for place in range(categories)], dtype=object)
    alarms = []
    for _ in range(40):
        bins = CategoryBins.build("x", random.choice(names, rows, p=weights / weights.sum()))
        window = np.repeat(names, random.multinomial(20_000, weights / weights.sum()))
        found = drift(np.bincount(bins.index(window), minlength=len(bins.names)), bins.ratios, rows)
        assert found is not None
        alarms.append(found.zscore > corrected(3, 20) and found.psi > 0.05)
    assert sum(alarms) <= (0 if tail else 1)


def test_bins_out_of_order_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="out of order"):
        NumberBins(label="x", starts=(2.0, 1.0), high=3.0, counts=(0,) * 5)
    with pytest.raises(pydantic.ValidationError, match="counts for bins"):
        CategoryBins(label="x", categories=("a",), counts=(1,))

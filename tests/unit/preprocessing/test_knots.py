"""Places among quantiles: in order, within bounds, and room for rare values beside a frequent one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.preprocessing.knots import fit_knots, place

finite = st.floats(-1e300, 1e300, allow_subnormal=False)


@given(st.lists(finite, min_size=1, max_size=60), st.integers(1, 20))
def test_knots_rise_from_the_least_to_the_greatest(values: list[float], pieces: int) -> None:
    knots = fit_knots(np.array(values), pieces)
    assert (knots[0], knots[-1]) == (min(values), max(values))
    assert list(knots) == sorted(set(knots))
    assert len(knots) <= pieces + 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 20), st.floats(), st.floats())
def test_places_keep_the_order(values: list[float], pieces: int, one: float, other: float) -> None:
    knots = fit_knots(np.array(values), pieces)
    low, high = sorted((one, other)) if one == one and other == other else (0.0, 1.0)
    assert 0 <= place(low, knots) <= place(high, knots) <= 1


def test_a_place_is_linear_between_knots() -> None:
    knots = (0.0, 1.0, 11.0)
    assert [place(x, knots) for x in (-5, 0, 0.5, 1, 6, 11, 12)] == [0, 0, 0.25, 0.5, 0.75, 1, 1]


def test_few_values_are_all_knots() -> None:
    assert fit_knots(np.array([3.0, 1.0, 2.0, 2.0]), 2) == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("value", [0.0, 50.0, 1e9])
def test_one_value_has_one_place(value: float) -> None:
    assert place(value, fit_knots(np.full(9, 50.0), 8)) == 0


def test_a_frequent_value_leaves_room_for_the_others() -> None:
    values = np.concatenate([np.zeros(9200), np.arange(1, 801)])
    knots = fit_knots(values, 16)
    assert len(knots) > 12
    assert knots[2] > 0

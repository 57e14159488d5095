from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.numbers import Spread, quantile, ratios, spread

NUMBERS = st.floats(-1e6, 1e6)


@given(st.lists(NUMBERS, min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_is_the_smallest_value_that_covers_the_share(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert sum(one <= found for one in ordered) >= share * len(ordered)
    assert sum(one < found for one in ordered) < share * len(ordered)


def test_quantiles_of_a_hundred() -> None:
    hundred = [float(one) for one in range(1, 101)]
    assert [quantile(hundred, share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]


def test_an_empty_sample_has_no_quantile() -> None:
    assert quantile([], 0.99) == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], Spread(3, 3, 3, 1)),
        ([5.0, 1.0, 2.0], Spread(2, 1, 5, 3)),
        ([4.0, 1.0, 2.0, 9.0], Spread(3, 1, 9, 4)),
    ],
)
def test_median_and_range(values: list[float], expected: Spread) -> None:
    assert spread(values) == expected


def test_nothing_has_no_median() -> None:
    with pytest.raises(ValueError, match="no round"):
        spread([])


@given(st.lists(st.tuples(st.floats(1, 1e3), st.floats(0.1, 10)), min_size=1))
def test_what_slows_a_whole_round_cancels(pairs: list[tuple[float, float]]) -> None:
    below = [rate * mood for rate, mood in pairs]
    above = [3 * rate for rate in below]
    assert ratios(above, below) == pytest.approx([3.0] * len(pairs))


@pytest.mark.parametrize(
    ("above", "below", "said"), [([1.0], [1.0, 2.0], "1 rounds against 2"), ([1.0, 2.0], [1.0, 0.0], "zero")]
)
def test_rounds_that_cannot_be_compared(above: list[float], below: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ratios(above, below)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.pipeline.comparing.spending import level


@given(st.floats(1e-4, 0.49), st.integers(1, 10_000))
def test_all_attempts_together_spend_no_more_than_alpha(alpha, attempts):
    spent = sum(level(alpha, attempt) for attempt in range(1, attempts + 1))
    assert spent == pytest.approx(alpha * (1 - 1 / (attempts + 1)))
    assert spent < alpha


def test_each_attempt_gets_less():
    levels = [level(0.05, attempt) for attempt in range(1, 30)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == 0.025


def test_attempts_are_counted_from_one():
    with pytest.raises(ValueError, match="attempt 0"):
        level(0.05, 0)

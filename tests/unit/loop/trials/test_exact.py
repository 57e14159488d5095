from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuneloop.loop.trials.exact import p_heads, p_more

groups = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(groups, groups)
def test_it_is_fishers_test(new: tuple[int, int], old: tuple[int, int]) -> None:
    table = [[new[0], new[1] - new[0]], [old[0], old[1] - old[0]]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue if new[1] and old[1] else 1.0
    assert p_more(*new, *old) == pytest.approx(expected, abs=1e-9, rel=1e-6)


@given(groups)
def test_it_is_the_sign_test(throws: tuple[int, int]) -> None:
    heads, n = throws
    expected = stats.binomtest(heads, n, 0.5, alternative="greater").pvalue if n else 1.0
    assert p_heads(heads, n) == pytest.approx(expected, abs=1e-12, rel=1e-6)


def test_many_trials_are_quick_and_right() -> None:
    normal = stats.norm.sf((0.101 - 0.1) / (0.1005 * 0.8995 * 2 / 1e6) ** 0.5)
    assert p_more(101_000, 1_000_000, 100_000, 1_000_000) == pytest.approx(normal, rel=0.05)
    assert p_heads(50_500, 100_000) == pytest.approx(stats.norm.sf(1000 / 100_000**0.5), rel=0.05)


def test_hits_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        p_more(5, 4, 0, 1)
    with pytest.raises(ValueError, match="-1 of 4"):
        p_heads(-1, 4)

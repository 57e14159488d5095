"""Against scipy's exact binomial test, a direct search for Tango's likelihood, and coverage by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.pipeline.comparing.paired import Paired, binomial_tail, holm


def counts(most=200):
    return st.integers(1, most).flatmap(
        lambda rows: st.integers(0, rows).flatmap(
            lambda won: st.integers(0, rows - won).map(lambda lost: Paired(rows, won, lost))
        )
    )


@given(counts())
def test_at_zero_it_is_the_exact_test_of_mcnemar(paired):
    stats = pytest.importorskip("scipy.stats")
    trials = paired.won + paired.lost
    wanted = stats.binomtest(paired.won, trials, 0.5, alternative="greater").pvalue if trials else 1.0
    assert paired.p_above(0.0) == pytest.approx(wanted, rel=1e-9)


@given(counts(), st.floats(-0.9, 0.9).filter(lambda gain: abs(gain) > 1e-6))
def test_the_score_is_that_of_the_most_likely_share(paired, gain):
    """The closed form of Tango against a search over the likelihood."""
    n, b, c = paired.rows, paired.won, paired.lost
    lost = np.linspace(max(0.0, -gain), (1 - gain) / 2, 20_001)[1:-1]
    with np.errstate(divide="ignore"):
        likelihood = b * np.log(lost + gain) + c * np.log(lost) + (n - b - c) * np.log1p(-(2 * lost + gain))
    best = float(lost[likelihood.argmax()])
    variance = n * (2 * best + gain - gain**2)
    assert paired._score(gain) == pytest.approx((b - c - n * gain) / math.sqrt(variance), rel=2e-2, abs=2e-2)


@given(counts(), st.sampled_from([0.001, 0.025, 0.05, 0.2]))
def test_bounds_and_tests_agree(paired, alpha):
    low, high = paired.lower(alpha), paired.upper(alpha)
    assert -1 <= low <= paired.gain <= high <= 1
    if -0.999 < low < paired.gain - 1e-6 and abs(low) > 1e-6:
        assert paired.p_above(low) == pytest.approx(alpha, rel=1e-3)
    assert Paired(paired.rows, paired.lost, paired.won).upper(alpha) == pytest.approx(-low)


@pytest.mark.parametrize(("rows", "gain", "differing"), [(200, 0.0, 0.05), (200, -0.02, 0.1), (1000, 0.02, 0.06)])
def test_the_interval_covers_the_truth(rows, gain, differing):
    generator = np.random.default_rng(4)
    drawn = generator.multinomial(rows, [(differing + gain) / 2, (differing - gain) / 2, 1 - differing], 4000)
    missed_below = missed_above = 0
    for won, lost, _ in drawn.tolist():
        paired = Paired(rows, won, lost)
        missed_below += paired.lower(0.025) > gain
        missed_above += paired.upper(0.025) < gain
    assert 0.012 < missed_below / 4000 < 0.038
    assert 0.012 < missed_above / 4000 < 0.038


def test_equal_answers_prove_little_on_few_rows():
    assert Paired(20, 0, 0).lower(0.05) < -0.1
    assert Paired(2000, 0, 0).lower(0.05) > -0.005
    assert Paired(20, 0, 0).p_above(0.0) == 1.0


def test_the_tail_of_a_fair_coin():
    assert binomial_tail(5, 5) == 1 / 32
    assert binomial_tail(5, 0) == binomial_tail(0, 0) == 1.0


def test_holm_steps_down():
    values = {"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.9}
    assert holm(values, 0.05) == {"a"}
    assert holm({**values, "b": 0.016, "c": 0.02}, 0.05) == {"a", "b", "c"}
    assert holm({}, 0.05) == set()

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.loop.trials.counting import CORRECTIONS, FAILURES, LABELS, LATENCY, REFUSED, series
from tuneloop.loop.trials.tally import challenger_tally, champion_tally
from tuneloop.monitoring.metrics import PREDICTION_BUCKETS


def page(seconds: list[float], version: str = "2") -> dict[str, float]:
    """What a server's histogram holds after these answers; buckets that hold none are absent, as in increments."""
    found = {}
    for bound in (*PREDICTION_BUCKETS, math.inf):
        count = sum(1 for one in seconds if one <= bound)
        if count:
            found[series(LATENCY, version=version, le="+Inf" if math.isinf(bound) else str(bound))] = float(count)
    return found


@given(st.lists(st.floats(0.0001, 9.0), min_size=1, max_size=80), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_lies_in_its_bucket(seconds: list[float], share: float) -> None:
    tally = champion_tally(page(seconds), "2")
    true = float(np.quantile(seconds, share, method="inverted_cdf"))
    high = next(bound for bound in PREDICTION_BUCKETS if bound >= true)
    low = max([bound for bound in PREDICTION_BUCKETS if bound < high], default=0.0)
    assert low <= (tally.quantile(share) or -1.0) <= high
    assert tally.bound_of(share) == high
    assert tally.slower(high) == sum(1 for one in seconds if one > high)


def test_no_answers_have_no_latency() -> None:
    nothing = champion_tally({}, "2")
    assert (nothing.quantile(0.95), nothing.accuracy, nothing.failure_rate) == (None, None, 0.0)
    assert nothing.said() == "0 requests, 0 failed"


def test_beyond_the_last_bound_it_is_the_last_bound() -> None:
    assert champion_tally(page([60.0] * 5), "2").quantile(0.95) == PREDICTION_BUCKETS[-1]


def test_failures_are_those_of_the_version() -> None:
    counted = {
        **page([0.01] * 90),
        series(REFUSED, reason="internal"): 3.0,
        series(REFUSED, reason="deadline"): 2.0,
        series(REFUSED, reason="invalid-request"): 50.0,
        series(REFUSED, reason="overloaded"): 50.0,
        series(FAILURES, version="2", reason="error"): 4.0,
        series(FAILURES, version="2", reason="timeout"): 6.0,
        series(FAILURES, version="20", reason="timeout"): 7.0,
    }
    champion, challenger = champion_tally(counted, "2"), challenger_tally(counted, "2")
    assert (champion.failed, champion.asked) == (5.0, 95.0)
    assert (challenger.failed, challenger.asked) == (10.0, 100.0)
    assert challenger.failure_rate == pytest.approx(0.1)


def test_a_label_that_was_corrected_counts_for_what_it_says_last() -> None:
    counted = {
        series(LABELS, version="2", outcome="correct"): 8.0,
        series(LABELS, version="2", outcome="wrong"): 2.0,
        series(LABELS, version="2", outcome="corrected"): 3.0,
        series(CORRECTIONS, version="2", change="to_wrong"): 3.0,
        series(CORRECTIONS, version="2", change="to_correct"): 1.0,
    }
    tally = champion_tally(counted, "2")
    assert (tally.labels, tally.right) == (10.0, 6.0)
    assert "accuracy 0.600 (" in tally.said()
    assert tally.labelled_as(tally).accuracy == 0.6

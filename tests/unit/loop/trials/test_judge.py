from __future__ import annotations

import math

import numpy as np
import pytest

from tuneloop.config import RolloutLimits
from tuneloop.loop.trials.judge import ALPHA, Paired, disagrees, worse, worse_unseen
from tuneloop.loop.trials.tally import Tally
from tuneloop.monitoring.metrics import PREDICTION_BUCKETS

LIMITS = RolloutLimits()


def tally(seconds: float = 0.01, answered: int = 500, failed: int = 0, labels: int = 0, right: int = 0) -> Tally:
    """A version whose answers all take so long."""
    bounds = (*PREDICTION_BUCKETS, math.inf)
    buckets = tuple((bound, float(answered if seconds <= bound else 0)) for bound in bounds)
    return Tally(float(answered), float(failed), float(labels), float(right), buckets)


def reason(new: Tally, old: Tally, look: int = 1) -> str:
    found = worse(new, old, LIMITS, look)
    return "" if found is None else found.reason


def test_equal_versions_stay() -> None:
    assert reason(tally(labels=400, right=300), tally(labels=400, right=300)) == ""


def test_failures_are_held_against_it_where_chance_is_ruled_out() -> None:
    assert reason(tally(failed=25), tally(answered=5000)) == "errors"
    assert reason(tally(answered=20, failed=1), tally(answered=20)) == ""
    # Many, but no more than allowed: one of 200 is half of the limit.
    assert reason(tally(answered=99_500, failed=500), tally(answered=100_000)) == ""
    # The champion fails as often.
    assert reason(tally(failed=25), tally(failed=25)) == ""


def test_slow_answers_are_held_against_it() -> None:
    assert reason(tally(seconds=0.04), tally(seconds=0.009)) == "latency"
    assert reason(tally(seconds=0.04, answered=90), tally(seconds=0.009)) == ""
    assert reason(tally(seconds=0.009), tally(seconds=0.04)) == ""
    # Within the ratio.
    assert reason(tally(seconds=0.015), tally(seconds=0.009)) == ""


def test_one_after_the_other_latency_counts_where_the_median_rose_too() -> None:
    busy = tally(seconds=0.009)
    slower = tuple((bound, count if bound >= 0.05 else 0.9 * count) for bound, count in busy.buckets)
    hiccup = Tally(busy.answered, 0.0, 0.0, 0.0, slower)
    assert reason(hiccup, busy) == "latency"
    assert worse(hiccup, busy, LIMITS, 1, "throughout") is None
    found = worse(tally(seconds=0.04), busy, LIMITS, 1, "throughout")
    assert found is not None
    assert found.reason == "latency"
    assert worse(tally(seconds=0.04), busy, LIMITS, 1, "none") is None


def test_wrong_answers_are_held_against_it() -> None:
    assert reason(tally(labels=300, right=210), tally(labels=900, right=810)) == "accuracy"
    assert reason(tally(labels=10, right=7), tally(labels=900, right=810)) == ""
    # A loss that the limit allows, however certain.
    assert reason(tally(labels=90_000, right=80_000), tally(labels=90_000, right=81_000)) == ""
    assert reason(tally(labels=300, right=210), tally()) == ""


def test_the_sentence_holds_the_figures() -> None:
    found = worse(tally(labels=300, right=210), tally(labels=900, right=810), LIMITS, 1)
    assert found is not None
    for words in ("0.700 of its 300", "champion's 900 0.900", "0.200", "0.02 is allowed", "by chance with probability"):
        assert words in found.sentence


def test_a_shadow_is_judged_on_the_same_rows() -> None:
    good = Paired(answered=500, agreed=480, labels=300, champion_only=8, challenger_only=9)
    assert worse_unseen(good, LIMITS, 1) is None
    bad = Paired(answered=500, agreed=400, labels=300, champion_only=60, challenger_only=9)
    found = worse_unseen(bad, LIMITS, 1)
    assert found is not None
    assert found.reason == "accuracy"
    assert "60 wrong that the champion had right" in found.sentence
    failing = worse_unseen(Paired(answered=450, agreed=450, failed=50), LIMITS, 1)
    assert failing is not None
    assert failing.reason == "errors"
    assert worse_unseen(Paired(labels=10, champion_only=1), LIMITS, 1) is None


def test_a_shadow_must_agree_where_that_is_asked_for() -> None:
    pair = Paired(answered=500, agreed=400)
    found = disagrees(pair, 0.9, 1)
    assert found is not None
    assert found.reason == "agreement"
    assert disagrees(pair, 0.79, 1) is None
    assert disagrees(Paired(answered=5, agreed=4), 0.9, 1) is None
    assert disagrees(Paired(), 0.9, 1) is None


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_an_equal_version_is_ended_more_seldom_than_alpha_over_all_looks(share: float) -> None:
    """Both versions are wrong on the same share of rows; there is a look after every 25 more, without any limit."""
    generator = np.random.default_rng(0)
    limits = RolloutLimits(error_rate=0.0, accuracy_drop=0.0)
    ended, streams = 0, 400
    for _ in range(streams):
        new, old = (generator.random((40, 25)) < share for _ in range(2))
        for look in range(1, 41):
            rows = 25 * look
            counts = [rows - int(part[:look].sum()) for part in (new, old)]
            one, other = (tally(answered=rows, labels=rows, right=right) for right in counts)
            if worse(one, other, limits, look) is not None:
                ended += 1
                break
    assert ended / streams <= ALPHA


def test_a_version_that_loses_ten_points_is_found_within_a_thousand_labels() -> None:
    generator = np.random.default_rng(0)
    found = 0
    for _ in range(100):
        new, old = generator.binomial(1000, 0.8), generator.binomial(1000, 0.9)
        found += worse(tally(labels=1000, right=new), tally(labels=1000, right=old), LIMITS, 12) is not None
    assert found >= 95

"""The best candidate within the limits is taken, whatever the others reach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.config.search import Limits
from tuneloop.pipeline.choosing.choice import Candidate, as_table, called, choose, in_words, verdict
from tuneloop.pipeline.choosing.cost import Cost

SMALL = Candidate({"base": "small"}, 0.80, {}, Cost(1_000, 0.5, 10.0))
LARGE = Candidate({"base": "large", "checkpoint": "models/large"}, 0.95, {}, Cost(90_000_000, 9.0, 360.0))
BROKEN = Candidate({"base": "broken"}, failure="there is no checkpoint at models/x")


def test_the_best_one_is_taken_and_limits_take_it_out():
    both = [SMALL, BROKEN, LARGE]
    assert choose(both, Limits(), maximize=True) == 2
    assert choose(both, Limits(), maximize=False) == 0
    for limits in (Limits(parameters=10**6), Limits(latency_ms=1.0), Limits(memory_mb=100)):
        assert choose(both, limits, maximize=True) == 0
    assert choose(both, Limits(parameters=10), maximize=True) is None
    assert choose([BROKEN], Limits(), maximize=True) is None


def test_of_equals_the_smaller_one_is_taken():
    twin = Candidate({"base": "twin"}, 0.95, {}, Cost(2_000, 20.0, 10.0))
    assert choose([LARGE, twin], Limits(), maximize=True) == 1


def test_of_those_that_write_nothing_right_the_one_is_taken_that_finds_the_right_texts_more_probable():
    sure = Candidate({"base": "sure"}, 0.0, {"chrf": 0.0, "bits_per_byte": 1.5}, Cost(90_000, 20.0, 10.0))
    lost = Candidate({"base": "lost"}, 0.0, {"chrf": 0.0, "bits_per_byte": 2.5}, Cost(2_000, 20.0, 10.0))
    assert choose([lost, sure], Limits(), maximize=True) == 1
    right = Candidate({"base": "right"}, 1.0, {"chrf": 1.0, "bits_per_byte": 9.5}, Cost(90_000, 20.0, 10.0))
    assert choose([lost, sure, right], Limits(), maximize=True) == 2


def test_the_table_says_what_each_reaches_and_why_not():
    limits = Limits(parameters=10**6, latency_ms=1.0)
    lines = as_table([SMALL, BROKEN, LARGE], limits, "accuracy").splitlines()
    assert lines[0].split() == ["base", "model", "accuracy", "weights", "ms", "a", "row", "MB"]
    assert lines[1].split() == ["small", "0.8000", "1,000", "0.5", "10"]
    assert lines[2].endswith("there is no checkpoint at models/x")
    assert lines[3].endswith("90,000,000 weights, of at most 1,000,000; 9 ms a row, of at most 1")
    assert "large (checkpoint: models/large)" in lines[3]
    assert verdict(SMALL, limits) == ""


def test_candidates_are_told_apart_by_their_options_and_paths_by_their_last_part():
    one = {"base": "transformers", "checkpoint": "/data/models/minilm", "max_length": 64}
    other = {"base": "transformers", "checkpoint": "models/bert"}
    names = [in_words(name) for name in called([one, other, {"base": "mlp"}])]
    assert names == [
        "transformers (checkpoint: minilm, max_length: 64)",
        "transformers (checkpoint: models/bert)",
        "mlp",
    ]
    twins = [{"base": "transformers", "checkpoint": f"/data/{name}/last"} for name in "ab"]
    assert [name[1] for name in called(twins)] == ["checkpoint: /data/a/last", "checkpoint: /data/b/last"]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 10**9), st.floats(0, 100)), min_size=1, max_size=6),
    st.integers(1, 10**9),
    st.booleans(),
)
def test_nothing_beyond_a_limit_is_ever_taken_and_nothing_better_is_left(given_, most, maximize):
    candidates = [Candidate({"base": str(i)}, s, {}, Cost(w, ms, 1.0)) for i, (s, w, ms) in enumerate(given_)]
    taken = choose(candidates, Limits(parameters=most), maximize=maximize)
    fitting = [one for one in candidates if one.cost and one.cost.parameters <= most]
    if taken is None:
        assert not fitting
        return
    best = (max if maximize else min)(one.score or 0.0 for one in fitting)
    assert candidates[taken].score == pytest.approx(best)
    assert candidates[taken] in fitting

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuneloop.loop.trials.counting import Count, read_page, series

PAGE = """\
# TYPE tuneloop_labels_total counter
tuneloop_labels_total{model="desk",version="1",outcome="correct"} 7
tuneloop_labels_total{model="desk",version="9",outcome="correct"} 70
tuneloop_labels_total{model="other",version="1",outcome="correct"} 700
# TYPE tuneloop_requests_refused_total counter
tuneloop_requests_refused_total{model="desk",reason="internal"} 2
# TYPE tuneloop_prediction_seconds histogram
tuneloop_prediction_seconds_bucket{model="desk",version="1",le="+Inf"} 5
tuneloop_prediction_seconds_sum{model="desk",version="1"} 0.5
tuneloop_signal_observations_total{model="desk",version="1",signal="x",bin="1"} 99
"""
RIGHT = series("tuneloop_labels_total", outcome="correct", version="1")


def test_a_page_is_read_for_the_versions_asked_for() -> None:
    assert read_page(PAGE, "desk", ("1",)) == {
        RIGHT: 7.0,
        "tuneloop_requests_refused_total|reason=internal": 2.0,
        "tuneloop_prediction_seconds_bucket|le=+Inf|version=1": 5.0,
    }


def test_servers_are_added_up_and_one_that_joins_says_where_it_stands() -> None:
    count = Count().add({"a": {"x": 10.0}})
    assert count.total == {}
    count = count.add({"a": {"x": 12.0}, "b": {"x": 100.0}})
    count = count.add({"a": {"x": 13.0}, "b": {"x": 101.0, "y": 4.0}})
    assert count.total == {"x": 4.0, "y": 4.0}
    assert count.standing == {"x": 114.0, "y": 4.0}


def test_a_server_that_does_not_answer_for_a_while_loses_nothing() -> None:
    count = Count().add({"a": {"x": 1.0}}).add({}).add({"a": {"x": 5.0}})
    assert count.total == {"x": 4.0}


@given(st.lists(st.lists(st.integers(0, 5), min_size=1), min_size=1))
def test_restarts_of_the_server_lose_nothing_that_was_seen(lives: list[list[int]]) -> None:
    """Each life of the server begins at 0 and ends after a look."""
    count = Count().add({"a": {"x": 0.0}})
    everything = 0
    for life in lives:
        standing = 0
        for step in life:
            standing += step
            # A restart shows where the first look of a life is lower than the last of the life before.
            count = count.add({"a": {"x": float(standing)}})
        everything += standing
        count = count.add({"a": {"x": 0.0}})
    assert count.total.get("x", 0.0) == everything
    assert Count.model_validate_json(count.model_dump_json()) == count

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from tuneloop.api import ServingError
from tuneloop.loop.rollout import Rollout, View, as_view
from tuneloop.loop.training import Stopped

A, B = "a" * 64, "b" * 64


def page(live: dict[tuple[str, str], int], refused: int = 0) -> str:
    lines = ["# TYPE tuneloop_live_version gauge"]
    lines += [
        f'tuneloop_live_version{{model="desk",version="{version}",sha256="{sha}"}} {count}'
        for (version, sha), count in live.items()
    ]
    lines += ['tuneloop_live_version{model="other",version="9",sha256="c"} 5']
    lines += ["# TYPE tuneloop_channel_refusals_total counter"]
    lines += [f'tuneloop_channel_refusals_total{{model="desk",reason="golden"}} {refused}']
    return "\n".join(lines) + "\n"


OLD, BOTH, NEW = page({("1", A): 2}), page({("1", A): 1, ("2", B): 1}), page({("1", A): 0, ("2", B): 2})


def rollout(*pages: str | None, deadline: float = 10.0) -> Rollout:
    """A server that shows these pages one after the other, one a second, the last one for ever; None: no answer."""
    shown: Iterator[str | None] = chain(pages, repeat(pages[-1]))
    seconds = iter(range(1000))

    def fetch(url: str) -> str:
        assert url == "http://server/metrics"
        text = next(shown)
        if text is None:
            raise ServingError("no answer")
        return text

    return Rollout(("http://server",), "desk", deadline, 0.0, fetch=fetch, clock=lambda: float(next(seconds)))


def test_a_look_reads_this_model_alone() -> None:
    assert rollout(BOTH).look() == View(
        live={f"1 {A}": 1.0, f"2 {B}": 1.0}, refusals={"http://server golden": 0.0}, servers=("http://server",)
    )
    assert rollout(None).look() is None
    assert rollout("no page {").look() is None


def test_it_is_live_when_every_worker_says_so_twice() -> None:
    before = rollout(OLD).look()
    result = rollout(OLD, BOTH, NEW, BOTH, NEW, NEW).wait("2", B, before)
    assert result.live
    assert "answers with it (2)" in result.sentence


def test_an_equal_version_of_another_artifact_is_not_it() -> None:
    assert not rollout(page({("2", A): 2})).wait("2", B, rollout(OLD).look()).live


@pytest.mark.parametrize("last", [OLD, BOTH])
def test_time_is_up(last: str) -> None:
    result = rollout(last).wait("2", B, rollout(OLD).look())
    assert not result.live
    assert "after 10 s" in result.sentence
    assert "x 1" in result.sentence


def test_a_server_that_fell_silent_is_not_live() -> None:
    result = rollout(OLD, None).wait("2", B, rollout(OLD).look())
    assert not result.live
    assert "does not answer" in result.sentence


def test_a_refusal_ends_the_wait_at_once_and_old_ones_do_not() -> None:
    before = as_view({"live": {f"1 {A}": 2.0}, "refusals": {"http://server golden": 3.0}, "servers": ["http://server"]})
    assert rollout(page({("2", B): 2}, refused=3)).wait("2", B, before).live
    result = rollout(OLD, page({("1", A): 2}, refused=4)).wait("2", B, before)
    assert not result.live
    assert "golden" in result.sentence


def test_where_no_server_answered_none_is_waited_for() -> None:
    assert rollout(None).wait("2", B, None).live


def test_it_stops_with_the_loop() -> None:
    stopping = threading.Event()
    stopping.set()
    waiting = Rollout(("http://server",), "desk", stopping=stopping, fetch=lambda _: OLD)
    with pytest.raises(Stopped):
        waiting.wait("2", B, waiting.look())


def two(*looks: tuple[str | None, str | None]) -> Rollout:
    """Two servers that show these pages, the last ones for ever; None: no answer."""
    shown = chain(looks, repeat(looks[-1]))
    seconds = iter(range(1000))
    pages: dict[str, str | None] = {}

    def fetch(url: str) -> str:
        if url == "http://a/metrics":
            pages.update(zip(("a", "b"), next(shown), strict=True))
        text = pages[url[7]]
        if text is None:
            raise ServingError("no answer")
        return text

    return Rollout(("http://a", "http://b"), "desk", 10.0, 0.0, fetch=fetch, clock=lambda: float(next(seconds)))


def test_every_server_must_take_it() -> None:
    before = two((OLD, OLD)).look()
    assert before is not None
    assert (before.live, before.servers) == ({f"1 {A}": 4.0}, ("http://a", "http://b"))
    taken = two((NEW, OLD), (NEW, BOTH), (NEW, NEW)).wait("2", B, before)
    assert taken.live
    assert "every worker at http://a, http://b answers with it (4)" in taken.sentence
    assert not two((NEW, OLD)).wait("2", B, before).live
    gone = two((NEW, None)).wait("2", B, before)
    assert not gone.live
    assert "http://b does not answer any more" in gone.sentence
    refused = two((OLD, page({("1", A): 2}, refused=1))).wait("2", B, before)
    assert "a worker at http://b refused it: golden" in refused.sentence


def test_a_server_that_was_silent_before_is_not_waited_for() -> None:
    before = two((OLD, None)).look()
    assert two((NEW, None)).wait("2", B, before).live


def test_counters_are_read_from_all_that_answer() -> None:
    labels = 'tuneloop_labels_total{model="desk",version="2",outcome="wrong"} 3\n'
    found = two((labels, "no page {")).counters(("2",))
    assert found["http://a"] == {"tuneloop_labels_total|outcome=wrong|version=2": 3.0}
    assert two((labels, None)).counters(("2",)).keys() == {"http://a"}

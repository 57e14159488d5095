from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from tuneloop.api import ServingError
from tuneloop.loop.outcomes import reader as reader_module
from tuneloop.loop.outcomes.reader import WHOLE
from tuneloop.monitoring.row_locks import delete_locked

CHANGE = "tuneloop_detector_last_change_timestamp_seconds"


def test_a_rise_is_counted_and_dated(world: Any) -> None:
    world.label("aaaa")
    reader = world.reader()
    assert reader.look() == 4
    assert world.changes() == 0
    assert world.sample(CHANGE, version="1", detector="streak", direction="rise") == 0
    world.label("bbbbb")
    assert reader.look() == 5
    assert world.changes() == 1
    assert world.sample(CHANGE, version="1", detector="streak", direction="rise") == pytest.approx(world.clock(), abs=1)
    assert world.sample("tuneloop_detector_outcomes_total", version="1") == 9
    (status,) = reader.status()
    assert (status["version"], status["direction"], status["off"]) == ("1", "rise", None)
    assert status["mean"] == pytest.approx(5 / 9)


def test_a_fall_is_no_rise(world: Any) -> None:
    world.label("babaaaaa")
    world.reader().look()
    assert (world.changes(), world.changes("fall")) == (0, 1)


def test_the_mean_is_shown(world: Any) -> None:
    reader = world.reader()
    world.label("abaa")
    reader.look()
    assert world.sample("tuneloop_detector_error_ratio", version="1", detector="streak") == 0.25


def test_versions_have_detectors_of_their_own(world: Any) -> None:
    for version in "1212121212":
        world.label("b" if version == "1" else "a", version)
    world.reader().look()
    assert (world.changes(), world.changes(version="2")) == (1, 0)


def test_labels_are_read_in_the_order_in_which_they_came(world: Any) -> None:
    ids = world.answer(10)
    random.Random(1).shuffle(ids)
    for id_, label in zip(ids, "bbbbbababa", strict=True):
        world.store.add_labels([(id_, label)])
    world.reader().look()
    assert world.changes() == 1


def test_a_label_long_before_its_prediction_is_read_when_that_comes(world: Any) -> None:
    reader = world.reader()
    world.store.add_labels([(f"p{number:06}", "b") for number in range(1, 6)])
    world.clock.now += 100
    world.label("a")
    assert reader.look() == 1
    world.answer(5)
    assert reader.look() == 0
    world.clock.now += WHOLE
    assert reader.look() == 5
    assert world.changes() == 1
    assert world.sample("tuneloop_detector_outcomes_total", version="1") == 6


def test_a_label_whose_writer_was_slow_is_found(world: Any) -> None:
    """It carries an earlier time than one that was read already."""
    reader = world.reader()
    early, late = world.answer(2)
    began = world.clock.now
    world.clock.now += 20
    world.store.add_labels([(late, "a")])
    assert reader.look() == 1
    now, world.clock.now = world.clock.now, began
    world.store.add_labels([(early, "a")])
    world.clock.now = now
    assert reader.look() == 1


def test_a_restart_goes_on_where_the_last_one_was(world: Any) -> None:
    world.label("abbbb")
    world.reader().look()
    world.label("b")
    reader = world.reader()
    assert reader.look() == 1
    assert world.changes() == 1
    (status,) = reader.status()
    assert status["outcomes"] == 6


def test_what_was_said_is_not_said_again_and_is_still_shown(world: Any, monkeypatch: Any) -> None:
    world.label("bbbbb")
    world.reader().look()
    said = world.sample(CHANGE, version="1", detector="streak", direction="rise")
    from tuneloop.monitoring.metrics import detector_metrics

    detector_metrics().last_change.labels(world.project.name, "1", "streak", "rise").set(0)
    world.reader().look()
    assert world.changes() == 1
    assert world.sample(CHANGE, version="1", detector="streak", direction="rise") == said > 0


@pytest.mark.parametrize("place", ["enter", "say"])
def test_a_crash_at_any_place_loses_no_word_and_doubles_none(world: Any, monkeypatch: Any, place: str) -> None:
    """The process dies right after the journal was written, or right before the word was."""
    from tuneloop.loop.outcomes.journal import Journal

    class DiedError(BaseException):
        pass

    whole = getattr(Journal, place)

    def dies(self: Any, *arguments: Any) -> Any:
        if place == "enter":
            whole(self, *arguments)
        raise DiedError

    world.label("bbbbb")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, place, dies)
        with pytest.raises(DiedError):
            world.reader().look()
    assert world.changes() == 0
    world.reader().look()
    assert world.changes() == 1
    world.reader().look()
    assert world.changes() == 1


def test_a_corrected_label_counts_at_its_old_place(world: Any) -> None:
    first, *_ = world.label("abbbb")
    reader = world.reader()
    reader.look()
    assert world.changes() == 0
    world.store.add_labels([(first, "b")])
    assert reader.look() == 1
    assert world.changes() == 1
    assert world.sample("tuneloop_detector_outcomes_total", version="1") == 5


def test_a_word_stays_said_though_its_labels_are_corrected(world: Any) -> None:
    first, *_ = world.label("bbbbb")
    reader = world.reader()
    reader.look()
    world.store.add_labels([(first, "a")])
    reader.look()
    assert world.changes() == 1
    world.label("bbbbb")
    reader.look()
    assert world.changes() == 2


def test_labels_that_do_not_fit_are_passed_over(world: Any) -> None:
    world.label("b?b?bb?b")
    reader = world.reader()
    assert reader.look() == 8
    assert reader.look() == 0
    assert world.changes() == 1
    assert world.sample("tuneloop_detector_outcomes_total", version="1") == 5


def test_erased_answers_are_forgotten(world: Any) -> None:
    world.answer(1)
    ids = world.answer(3, subject="anna")
    world.store.add_labels([(id_, "b") for id_ in ids])
    world.label("bb")
    world.reader().look()
    world.store.erase("anna")
    reader = world.reader()
    reader.look()
    later = world.reader()
    later.look()
    assert (later.status()[0]["outcomes"], world.changes()) == (0, 1)


def test_one_that_raises_is_switched_off_and_the_others_go_on(make_world: Any) -> None:
    world = make_world("brittle", "streak", "babbler")
    world.label("abbbbb")
    reader = world.reader()
    reader.look()
    world.label("bbbbb")
    reader.look()
    assert world.changes() == 2
    for name in ("brittle", "babbler"):
        assert world.sample("tuneloop_detector_failures_total", version="1", detector=name) == 1
    assert {one["detector"]: one["off"] for one in reader.status()} == {
        "brittle": "ZeroDivisionError: float division by zero",
        "streak": None,
        "babbler": "PluginError: update gave 'maybe'; known: 'rise', 'fall' and None",
    }


def test_labels_of_a_version_that_cannot_be_judged_now_wait(world: Any) -> None:
    broken = True

    def judge(version: str, answer: Any, label: Any) -> float:
        if version == "2" and broken:
            raise ServingError("its artifact is away")
        return 1.0

    reader = world.reader(judge=judge)
    world.label("bbbbb", "2")
    world.label("bbbbb", "1")
    reader.look()
    assert (world.changes(), world.changes(version="2")) == (1, 0)
    broken = False
    world.clock.now += WHOLE + 1
    reader.look()
    assert world.changes(version="2") == 1


def test_many_labels_are_read_in_pages(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(reader_module, "PAGE", 7)
    from tuneloop.loop.outcomes.journal import Journal

    page = Journal.arrivals
    monkeypatch.setattr(Journal, "arrivals", lambda self, after=None, limit=7: page(self, after, limit))
    ids = world.answer(40)
    world.store.add_labels([(id_, "a") for id_ in ids])
    assert world.reader().look() == 40


def test_it_looks_by_itself_until_it_is_stopped(world: Any) -> None:
    with world.reader(tick=0.02):
        world.label("bbbbb")
        deadline = time.monotonic() + 20
        while not world.changes() and time.monotonic() < deadline:
            threading.Event().wait(0.01)
    assert world.changes() == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "tuneloop-outcomes"]


def test_without_detectors_nothing_is_read(world: Any) -> None:
    from dataclasses import replace

    world.project = replace(world.project, monitor=replace(world.project.monitor, detectors=()))
    with world.reader() as reader:
        assert not [thread for thread in threading.enumerate() if thread.name == "tuneloop-outcomes"]
    assert reader.status() == []


@pytest.mark.parametrize("place", ["enter", "outcomes", "say"])
def test_one_failure_costs_no_word(world: Any, monkeypatch: Any, place: str) -> None:
    """The answer to a commit is lost, or what follows the commit fails; the process lives on."""
    from tuneloop.loop.outcomes.journal import Journal

    reader = world.reader()
    if place != "outcomes":
        world.label("a", "2")
        reader.look()
    whole = getattr(Journal, place)
    failed: list[str] = []

    def fails_once(self: Any, *arguments: Any) -> Any:
        found = whole(self, *arguments) if failed or place == "enter" else None
        if not failed:
            failed.append(place)
            raise OSError("away")
        return found

    for version in "1212121212":
        world.label("b", version)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, place, fails_once)
        with pytest.raises(OSError, match="away"):
            reader.look()
        reader.look()
    assert (world.changes(), world.changes(version="2")) == (1, 1)
    world.label("bbbbb", "2")
    reader.look()
    assert world.changes(version="2") == 2


def test_a_store_that_forgot_everything_is_no_end_of_hearing(world: Any) -> None:
    """Labels pause for longer than predictions are kept; new entries are not taken for those heard before."""
    ids = world.label("abbbbb")
    reader = world.reader()
    reader.look()
    assert world.changes() == 1
    with world.store.connect(write=True) as connection:
        delete_locked(connection, ids)
    world.clock.now += WHOLE
    reader.look()
    world.label("bbb")
    reader.look()
    world.label("bb")
    later = world.reader()
    later.look()
    assert world.changes() == 2


def test_a_store_that_fails_is_asked_again(world: Any, monkeypatch: Any, caplog: Any) -> None:
    from tuneloop.loop.outcomes.journal import Journal

    monkeypatch.setattr(reader_module, "_PATIENCE", 0.01)
    whole, failed = Journal.arrivals, threading.Event()

    def fails_once(self: Any, *arguments: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise OSError("away")
        return whole(self, *arguments)

    monkeypatch.setattr(Journal, "arrivals", fails_once)
    world.label("bbbbb")
    with world.reader(tick=0.01):
        deadline = time.monotonic() + 20
        while not world.changes() and time.monotonic() < deadline:
            threading.Event().wait(0.01)
    assert failed.is_set()
    assert world.changes() == 1

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.loop.deciding.policy import SCHEDULED
from tuneloop.loop.deciding.schedule import Schedule, due, iso
from tuneloop.loop.records import Database, database_url

pytest.importorskip("croniter")
ROME = "Europe/Rome"
SUNDAY = Schedule("0 3 * * 0", "UTC")


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@given(st.floats(at("2020-01-01"), at("2030-01-01")), st.sampled_from(["UTC", ROME, "Asia/Kathmandu"]))
def test_the_last_time_and_the_next_lie_around_now(now: float, zone: str) -> None:
    schedule = Schedule("30 2 * * 0", zone)
    last, coming = schedule.latest(now), schedule.next(now)
    assert last <= now < coming
    # A week, but for the hour that the clocks move.
    assert abs(coming - last - 7 * 86400) <= 3600
    assert schedule.latest(coming) == coming
    assert schedule.next(last) == coming


def test_a_time_that_spring_skips_comes_an_hour_later_and_once() -> None:
    schedule = Schedule("30 2 * * *", ROME)
    # On 29 March 2026 the clocks of Rome go from 02:00 to 03:00.
    moved = at("2026-03-29T03:30", ROME)
    assert schedule.next(at("2026-03-29T01:59", ROME)) == moved
    assert schedule.next(moved) == at("2026-03-30T02:30", ROME)
    assert schedule.latest(at("2026-03-29T03:10", ROME)) == at("2026-03-28T02:30", ROME)
    assert schedule.latest(at("2026-03-29T12:00", ROME)) == moved


def test_a_time_that_autumn_shows_twice_comes_once() -> None:
    schedule = Schedule("30 2 * * *", ROME)
    # On 25 October 2026 the clocks go from 03:00 back to 02:00.
    first, second = at("2026-10-25T02:30", ROME), at("2026-10-25T02:30", ROME, fold=1)
    assert second - first == 3600
    assert schedule.next(at("2026-10-25T01:00", ROME)) == first
    assert schedule.next(first) == at("2026-10-26T02:30", ROME)
    assert schedule.latest(second + 60) == first
    assert schedule.next(at("2026-10-25T02:10", ROME, fold=1)) == at("2026-10-26T02:30", ROME)


def test_without_a_zone_the_machine_tells_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        now = at("2026-01-01T12:00")
        assert Schedule("0 3 * * *").next(now) == Schedule("0 3 * * *", "Asia/Tokyo").next(now)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.fixture
def database(tmp_path: Path) -> Any:
    database = Database(database_url(tmp_path), "desk")
    yield database
    database.close()


def test_nothing_is_due_before_the_schedule_was_known(database: Database) -> None:
    monday, next_monday = at("2026-11-16"), at("2026-11-23")
    assert due(database, SUNDAY, monday) is None
    assert due(database, SUNDAY, monday + 60) is None
    assert due(database, SUNDAY, next_monday) == at("2026-11-22T03:00")
    # Another schedule is another promise, which begins now.
    changed = Schedule("0 4 * * 0", "UTC")
    assert due(database, changed, next_monday) is None
    assert due(database, changed, at("2026-11-29T04:00")) == at("2026-11-29T04:00")


@pytest.fixture
def desk_on(make_desk: Callable[..., Any], database: Database) -> Callable[..., Any]:
    def make(**retrain: Any) -> Any:
        desk = make_desk(schedule=SUNDAY.expression, timezone="UTC", **retrain)
        object.__setattr__(desk.brain, "due", partial(due, database, SUNDAY))
        desk.clock.now = at("2026-11-16")
        desk.brain.tick()
        desk.label(20)
        return desk

    return make


def test_a_time_starts_one_run_and_missed_ones_no_more(desk_on: Callable[..., Any]) -> None:
    desk = desk_on()
    desk.brain.tick()
    assert not desk.begun
    # The loop is down for five weeks.
    desk.clock.now = at("2026-12-21T12:00")
    desk.brain.tick()
    desk.brain.tick()
    (run,) = desk.begun
    (record,) = desk.decisions.recent_alerts(10)
    assert (record.alert, record.started, record.run) == (SCHEDULED, "2026-12-20T03:00:00Z", run)
    assert desk.decisions.recent_runs(10)[0].why == "scheduled for 2026-12-20T03:00:00Z"


def test_what_keeps_it_from_running_is_written_down_and_a_later_time_replaces_it(desk_on: Callable[..., Any]) -> None:
    desk = desk_on(min_labels=100)
    desk.clock.now = at("2026-11-22T03:00:05")
    desk.brain.tick()
    (record,) = desk.decisions.recent_alerts(10)
    assert (record.outcome, str(record.reason)) == ("suppressed", "few-labels")
    assert "100 are needed" in record.sentence
    desk.clock.now = at("2026-11-22T09:00")
    desk.label(90, first=20)
    desk.brain.tick()
    assert len(desk.begun) == 1
    desk.decisions.finish(desk.begun[0], "refused", "worse", None)

    desk.clock.now = at("2026-11-29T03:00")
    desk.brain.tick()
    # The refused run has learned nothing, so there are labels enough; the cooldown is long over.
    assert len(desk.begun) == 2


def test_a_later_time_settles_one_that_waits(desk_on: Callable[..., Any]) -> None:
    desk = desk_on(min_labels=100)
    desk.clock.now = at("2026-11-22T03:00:05")
    desk.brain.tick()
    desk.clock.now = at("2026-11-22T23:00")
    desk.brain.tick()
    desk.clock.now = at("2026-11-29T03:00:00")
    desk.brain.tick()
    records = {record.started: record for record in desk.decisions.recent_alerts(10)}
    assert str(records["2026-11-22T03:00:00Z"].reason) in ("lapsed", "resolved")
    assert str(records["2026-11-29T03:00:00Z"].reason) == "few-labels"


def test_the_next_time_is_shown(desk_on: Callable[..., Any]) -> None:
    desk = desk_on()
    shown = desk.brain.status()["next_scheduled"]
    assert iso(shown) == "2026-11-22T03:00:00Z"
    assert datetime.fromtimestamp(shown, UTC).weekday() == 6

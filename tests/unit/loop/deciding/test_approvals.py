from __future__ import annotations

from collections.abc import Iterator

import pytest

from tuneloop.api import RunError
from tuneloop.loop.deciding.approvals import approval_of, approve, ask, decline, waiting, withdraw
from tuneloop.loop.deciding.pause import pause, paused, resume
from tuneloop.loop.records import Database
from tuneloop.loop.stages import Stages


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, "desk")
    yield opened
    opened.close()


def test_a_run_waits_until_somebody_says_something(database: Database, database_url: str) -> None:
    assert waiting(database) == []
    asked = ask(database, "run-1", "2", 100.0)
    assert ask(database, "run-1", "2", 200.0) == asked
    ask(database, "run-2", "3", 50.0)
    assert [one.run for one in waiting(database)] == ["run-2", "run-1"]
    other = Database(database_url, "another")
    assert waiting(other) == []
    other.close()
    said = approve(database, "run-1", "ada", "looks good")
    assert (said.approved, said.who, said.why) == (True, "ada", "looks good")
    assert [one.run for one in waiting(database)] == ["run-2"]
    assert approval_of(database, "run-1") == said


def test_a_word_is_said_once(database: Database) -> None:
    ask(database, "run-1", "2", 100.0)
    first = decline(database, "run-1", "ada", "not today")
    assert decline(database, "run-1", "bob", "neither") == first
    with pytest.raises(RunError, match="declined by ada"):
        approve(database, "run-1", "bob")
    assert ask(database, "run-1", "2", 300.0) == first
    withdraw(database, "run-1", 400.0, "the run ended")
    assert approval_of(database, "run-1") == first


def test_what_does_not_wait_cannot_be_approved(database: Database) -> None:
    ask(database, "run-1", "2", 100.0)
    with pytest.raises(RunError, match=r"'run-9' does not wait.*run-1"):
        approve(database, "run-9", "ada")


def test_a_run_that_ended_waits_no_more(database: Database) -> None:
    ask(database, "run-1", "2", 100.0)
    withdraw(database, "run-1", 200.0, "the run ended: failed")
    withdraw(database, "run-9", 200.0, "never asked")
    assert waiting(database) == []
    with pytest.raises(RunError, match="declined by loop"):
        approve(database, "run-1", "ada")


def test_a_pause_holds_until_it_is_ended(database: Database) -> None:
    assert paused(database) is None
    assert resume(database, "ada") is None
    first = pause(database, "ada", "an audit")
    assert pause(database, "bob") == first
    assert paused(database) == first
    assert "by ada (an audit)" in first.sentence
    assert resume(database, "bob") == first
    assert paused(database) is None
    assert "by bob; " in pause(database, "bob").sentence


def test_stages_begin_and_end_once(database: Database) -> None:
    now = 100.0
    stages = Stages(database, lambda: now)
    first = stages.begin("run-1", "train")
    now = 110.0
    assert stages.begin("run-1", "train") == first
    assert stages.state("run-1", "train") == ""
    stages.note("run-1", "train", "so far so good", {"rows": 3}, "memory")
    assert stages.state("run-1", "train") == "memory"
    stages.begin("run-1", "watch")
    ended = stages.end("run-1", "train")
    assert ended is not None
    assert (ended.started, ended.ended, ended.sentence, ended.figures) == (100.0, 110.0, "so far so good", {"rows": 3})
    assert stages.end("run-1", "train", "again") is None
    stages.note("run-1", "train", "too late", {}, "")
    assert [(one.stage, one.sentence) for one in stages.of("run-1")] == [("train", "so far so good"), ("watch", "")]
    assert stages.of("run-2") == []

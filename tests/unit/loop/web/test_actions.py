from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tuneloop.loop.deciding.approvals import approval_of
from tuneloop.loop.deciding.approvals import ask as ask_for_approval
from tuneloop.loop.deciding.pause import paused
from tuneloop.loop.web.actions import LONGEST_REASON
from tuneloop.registry import Registry
from tuneloop.serving.versions.channel import read_channel


def champion(browser: Any) -> str:
    return read_channel(str(browser.site.project.state / "channel.json")).champion.version


def done(response: Any, name: str) -> None:
    assert (response.status_code, response.headers.get("location")) == (303, f"/page/?done={name}"), response.text


def refused(response: Any, text: str) -> None:
    assert response.status_code == 409
    assert text in response.text


def test_pause_and_resume(browser: Any) -> None:
    assert "goes on" in browser.get("/do/pause").text
    done(browser.press("/do/pause", why=" too  many\nalerts\x00 "), "pause")
    held = paused(browser.site.database)
    assert held is not None
    assert (held.who, held.why) == ("mia", "too many alerts")
    page = browser.get("/?done=pause").text
    assert "The loop is paused." in page
    assert "Paused by mia: too many alerts" in page
    refused(browser.press("/do/pause", form=browser.fields("/do/resume")["form"]), "paused already")
    assert "<textarea" not in browser.get("/do/resume").text
    done(browser.press("/do/resume"), "resume")
    assert paused(browser.site.database) is None
    refused(browser.press("/do/resume", form=browser.fields("/do/pause")["form"]), "not paused")


@pytest.mark.parametrize("why", ["", "   ", "\x00\x1b"])
def test_without_a_reason_nothing_is_done(browser: Any, why: str) -> None:
    response = browser.press("/do/pause", why=why)
    assert response.status_code == 422
    assert "Say why" in response.text
    assert paused(browser.site.database) is None


def test_a_long_reason_is_cut(browser: Any) -> None:
    done(browser.press("/do/pause", why="x" * 2000), "pause")
    held = paused(browser.site.database)
    assert held is not None
    assert held.why == "x" * LONGEST_REASON


def test_retrain_asks_the_policy_and_says_what_it_said(browser: Any) -> None:
    refused(browser.press("/do/retrain"), "0 labelled rows are new; 10 are needed.")
    browser.desk.label(20)
    done(browser.press("/do/retrain", why="new products"), "retrain")
    (run,) = browser.desk.decisions.recent_runs(5)
    assert run.why == "asked for by mia: new products"
    assert browser.desk.begun == [run.run]
    page = browser.get("/do/retrain").text
    assert "is not finished; one runs at a time" in page
    assert '<form method="post" action="/page/do/retrain"' not in page


def test_promote_and_roll_back_are_recorded_and_reach_the_channel(browser: Any, versions: Registry) -> None:
    assert champion(browser) == "2"
    page = browser.get("/do/promote?version=3").text
    assert "Promote version 3" in page
    assert "Version 2 is kept as previous." in page
    done(browser.press("/do/promote?version=3", why="it is better"), "promote")
    assert champion(browser) == "3"
    move = versions.history()[-1]
    assert (move.kind, move.version, move.previous, move.who, move.why) == ("promote", "3", "2", "mia", "it is better")
    assert "Roll back to version 2" in browser.get("/do/rollback").text
    done(browser.press("/do/rollback", why="it is worse"), "rollback")
    assert champion(browser) == "2"
    move = versions.history()[-1]
    assert (move.kind, move.version, move.who, move.why) == ("rollback", "2", "mia", "it is worse")
    assert [event.version for hook, event in browser.desk.observers.events if hook == "tuneloop_promoted"] == ["3", "2"]


def test_a_button_that_is_pressed_twice_does_not_roll_back_twice(browser: Any, versions: Registry) -> None:
    fields = {**browser.fields("/do/rollback"), "why": "worse"}
    done(browser.post("/do/rollback", **fields), "rollback")
    refused(browser.post("/do/rollback", **fields), "version 1 is the champion by now; look again.")
    assert champion(browser) == "1"
    assert len(versions.history()) == 3


def test_two_people_at_once_move_the_champion_once(browser: Any, versions: Registry) -> None:
    fields = {**browser.fields("/do/promote?version=3"), "why": "better"}
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(browser.post("/do/promote", **fields).status_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, 409, 409, 409]
    assert len(versions.history()) == 3


def test_the_champion_is_not_moved_while_a_run_may_move_it(browser: Any, versions: Registry) -> None:
    fields = [{**browser.fields(path), "why": "x"} for path in ("/do/promote?version=3", "/do/rollback")]
    browser.desk.label(20)
    done(browser.press("/do/retrain"), "retrain")
    for path, given in zip(("/do/promote", "/do/rollback"), fields, strict=True):
        refused(browser.post(path, **given), "is not finished and may move the champion itself")
    assert "In an emergency" in browser.get("/do/rollback").text
    assert champion(browser) == "2"
    assert len(versions.history()) == 2


def test_versions_that_are_not_there_or_serve_already_are_not_promoted(browser: Any, versions: Registry) -> None:
    del versions
    assert browser.get("/do/promote?version=9").status_code == 404
    assert browser.get("/do/promote").status_code == 404
    assert "version 2 is the champion." in browser.get("/do/promote?version=2").text
    form = browser.fields("/do/promote?version=3")
    assert browser.post("/do/promote", **{**form, "version": "9", "why": "x"}).status_code == 404
    refused(browser.post("/do/promote", **{**form, "version": "2", "why": "x"}), "version 2 is the champion.")


def test_there_may_be_nothing_to_roll_back_to(browser: Any) -> None:
    page = browser.get("/do/rollback").text
    assert "there is no version to go back to" in page
    assert "<textarea" not in page


@pytest.fixture
def waits(browser: Any, decide: Callable[..., Any]) -> str:
    run: str = decide(1, "accepted").record.run
    ask_for_approval(browser.site.database, run, "3", browser.desk.clock())
    return run


@pytest.mark.parametrize(("name", "word"), [("approve", True), ("decline", False)])
def test_a_waiting_run_gets_its_answer_once(browser: Any, waits: str, name: str, word: bool) -> None:
    page = browser.get("/").text
    assert "Waiting for approval" in page
    assert f"/page/do/{name}?run={waits}" in page
    assert f"/page/do/{name}?run={waits}" in browser.get(f"/runs/{waits}").text
    fields = {**browser.fields(f"/do/{name}?run={waits}"), "why": "looked at it"}
    done(browser.post(f"/do/{name}", **fields), name)
    answer = approval_of(browser.site.database, waits)
    assert answer is not None
    assert (answer.approved, answer.who, answer.why) == (word, "mia", "looked at it")
    other = "decline" if word else "approve"
    refused(browser.post(f"/do/{other}", **fields), "does not wait for an answer")
    assert approval_of(browser.site.database, waits) == answer


def test_other_runs_do_not_wait(browser: Any, waits: str, versions: Registry) -> None:
    del versions
    assert browser.get("/do/approve?run=nothing").status_code == 404
    assert browser.get("/do/approve").status_code == 404
    assert "decline it first" in browser.get("/do/rollback").text
    assert waits in browser.get("/do/rollback").text

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuneloop.loop.deciding.approvals import ask
from tuneloop.loop.deciding.pause import pause
from tuneloop.loop.stages import Stages
from tuneloop.loop.web.site import opened_site
from tuneloop.loop.web.state import read_state
from tuneloop.pipeline.runs.records import run_folder, update_status


def test_nothing_is_at_work(site: Any) -> None:
    state = read_state(site)
    assert (state.kind, state.run, state.waiting, state.paused, state.next_run) == ("idle", "", (), False, None)
    assert "drift and accuracy" in state.text


def test_the_most_pressing_comes_first_and_a_pause_is_always_said(site: Any, decide: Callable[..., Any]) -> None:
    pause(site.database, "mia", "a move")
    assert (read_state(site).kind, read_state(site).text) == ("paused", "Paused by mia: a move")
    run = decide(1, "accepted").record.run
    state = read_state(site)
    assert (state.kind, state.title, state.run, state.paused) == ("running", "Retraining: train", run, True)
    assert "Paused by mia" in state.text
    ask(site.database, run, "3", 1.0)
    state = read_state(site)
    assert (state.kind, state.run, state.waiting) == ("waiting", run, (run,))
    assert "Paused by mia" in state.text


def test_a_run_is_shown_with_its_stage_and_of_training_the_step(site: Any, decide: Callable[..., Any]) -> None:
    run = decide(1, "accepted").record.run
    stages = Stages(site.database, site.clock)
    stages.begin(run, "train")
    update_status(run_folder(site.project.state, run), step="tune")
    assert read_state(site).title == "Retraining: train, step tune"
    stages.end(run, "train", "done")
    stages.begin(run, "canary 5%")
    assert read_state(site).title == "Retraining: canary 5%"


def test_the_next_scheduled_run_is_said(make_desk: Callable[..., Any]) -> None:
    desk = make_desk(schedule="0 3 * * *", timezone="UTC")
    with opened_site(desk.brain, "x" * 20, clock=desk.clock) as site:
        # The clock stands at 1970-01-12 13:46:40.
        assert read_state(site).next_run == 12 * 86400.0 + 3 * 3600.0

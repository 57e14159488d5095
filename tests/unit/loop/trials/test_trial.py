from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tuneloop.api import ServingError
from tuneloop.config import RolloutLimits
from tuneloop.loop.records import Database
from tuneloop.loop.rollout import Rollout
from tuneloop.loop.stages import Stages
from tuneloop.loop.training import Stopped
from tuneloop.loop.trials.plans import CanaryPlan, ShadowPlan, WatchPlan
from tuneloop.loop.trials.trial import TrialResult, Trials

LIMITS = RolloutLimits()


class Server:
    """Between two looks each version answers `step` requests, the challenger fails on `failing` more."""

    def __init__(self) -> None:
        self.now, self.looks = 1000.0, 0
        self.step, self.failing, self.refused, self.silent = 40, 0, 0, False

    def page(self, _: str) -> str:
        self.looks += 1
        self.now += 1.0
        if self.silent:
            raise ServingError("no answer")
        lines = [
            f'tuneloop_prediction_seconds_bucket{{model="desk",version="{version}",le="{le}"}} {self.step * self.looks}'
            for version in ("1", "2")
            for le in ("0.01", "+Inf")
        ]
        failed = self.failing * self.looks
        lines += [
            f'tuneloop_challenger_failures_total{{model="desk",version="2",reason="error"}} {failed}',
            f'tuneloop_challenger_refusals_total{{model="desk",reason="golden"}} {self.refused}',
            'tuneloop_shadow_rows_total{model="desk",version="2",champion="1",outcome="agree"} '
            f"{self.step * self.looks // 2}",
            'tuneloop_shadow_rows_total{model="desk",version="2",champion="1",outcome="differ"} '
            f"{self.step * self.looks // 2}",
        ]
        return "\n".join(lines) + "\n"

    def clock(self) -> float:
        return self.now


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def trials(tmp_path: Path, server: Server) -> Iterator[Callable[..., Trials]]:
    database = Database(f"sqlite:///{tmp_path}/loop.db", "desk")

    def make(on_timeout: str = "stop") -> Trials:
        rollout = Rollout(("http://server",), "desk", fetch=server.page)
        stopping = threading.Event()
        stopping.wait = lambda _=None: False  # type: ignore[method-assign, assignment]
        stages = Stages(database, server.clock)
        return Trials(stages, rollout, on_timeout, stopping, server.clock)  # type: ignore[arg-type]

    yield make
    database.close()


def canary(rows: int = 100, seconds: float = 5.0, timeout: float = 20.0) -> CanaryPlan:
    return CanaryPlan("canary 5%", "2", "1", seconds, LIMITS, rows, timeout)


def nobody() -> str:
    return ""


def test_it_passes_when_it_lasted_and_answered_enough(trials: Callable[..., Trials], server: Server) -> None:
    one = trials()
    result = one.run("run-1", canary(), nobody)
    assert not result.reason
    assert "version 2: 160 requests, 0 failed, p95 9.75 ms" in result.sentence
    (stage,) = one.stages.of("run-1")
    assert stage.figures["version"]["requests"] == 160
    assert stage.sentence == result.sentence
    # Done again, it is not done again.
    looks = server.looks
    assert one.run("run-1", canary(), nobody) == result
    assert server.looks == looks


def test_rows_are_waited_for(trials: Callable[..., Trials], server: Server) -> None:
    assert not trials().run("run-1", canary(rows=500), nobody).reason
    assert 13 <= server.looks <= 15


@pytest.mark.parametrize(("rule", "reason"), [("stop", "too-few-rows"), ("promote", "")])
def test_too_few_rows_mean_what_was_said(trials: Callable[..., Trials], server: Server, rule: str, reason: str) -> None:
    server.step = 1
    result = trials(rule).run("run-1", canary(), nobody)
    assert result.reason == reason
    assert "of the 100 rows" in result.sentence
    assert f"on_timeout is {rule}" in result.sentence


def test_a_bad_one_ends_at_once(trials: Callable[..., Trials], server: Server) -> None:
    server.failing = 10
    result = trials().run("run-1", canary(seconds=600.0), nobody)
    assert result.reason == "errors"
    assert server.looks < 10


def test_one_that_no_server_would_take_ends_at_once(trials: Callable[..., Trials], server: Server) -> None:
    one = trials()
    server.page("")

    def moved() -> str:
        server.refused = 1
        return ""

    result = one.run("run-1", canary(seconds=600.0), moved)
    assert result.reason == "not-taken"
    assert "golden" in result.sentence


def test_what_somebody_else_does_ends_it(trials: Callable[..., Trials]) -> None:
    result = trials().run("run-1", canary(), lambda: "version 7 is champion by now")
    assert (result.reason, result.sentence[:28]) == ("by-hand", "version 7 is champion by now")


def test_a_silent_server_is_waited_for_until_time_is_up(trials: Callable[..., Trials], server: Server) -> None:
    server.silent = True
    result = trials().run("run-1", canary(), nobody)
    assert result.reason == "too-few-rows"
    assert server.now >= 1020.0


def test_it_goes_on_where_it_was_killed(trials: Callable[..., Trials], server: Server) -> None:
    one = trials()

    def killed() -> str:
        if server.looks == 3:
            raise KeyboardInterrupt
        return ""

    with pytest.raises(KeyboardInterrupt):
        one.run("run-1", canary(), killed)
    # Nobody looks while there is no loop; the server answers on, and the clock runs.
    server.now += 2.0
    server.looks += 10
    result = one.run("run-1", canary(), nobody)
    assert not result.reason
    assert "version 2: 520 requests" in result.sentence


def test_it_stops_with_the_loop(trials: Callable[..., Trials]) -> None:
    one = trials()
    one.stopping.wait = lambda _=None: True  # type: ignore[method-assign, assignment]
    with pytest.raises(Stopped):
        one.run("run-1", canary(), nobody)


def test_a_shadow_must_agree_where_that_is_asked(trials: Callable[..., Trials]) -> None:
    plan = ShadowPlan("shadow", "2", "1", 5.0, LIMITS, 100, 20.0, agreement=0.9)
    result = trials().run("run-1", plan, nobody)
    assert result.reason == "agreement"
    loose = ShadowPlan("shadow", "2", "1", 5.0, LIMITS, 100, 20.0)
    assert not trials().run("run-2", loose, nobody).reason


def test_a_new_champion_is_compared_with_its_newest_figures_or_with_all(server: Server) -> None:
    def counted(requests: float, wrong: float) -> dict[str, float]:
        return {
            "tuneloop_prediction_seconds_bucket|le=+Inf|version=1": requests,
            "tuneloop_labels_total|outcome=wrong|version=1": wrong,
        }

    def champion(before: dict[str, float]) -> tuple[float, float]:
        plan = WatchPlan("watch", "2", "1", 5.0, LIMITS, before=before, standing=counted(9000.0, 99.0))
        old = plan.pair({"tuneloop_labels_total|outcome=wrong|version=1": 2.0})[1]
        return old.answered, old.labels

    assert champion(counted(500.0, 5.0)) == (500.0, 7.0)
    # Few requests: all it ever answered; never the labels of another time.
    assert champion(counted(50.0, 5.0)) == (9000.0, 7.0)


def test_a_result_is_remembered(trials: Callable[..., Trials], server: Server) -> None:
    """A loop that is killed after it found a version bad finds it bad again, also where nobody asks any more."""
    server.failing = 10
    one = trials()
    found = one.run("run-1", canary(), nobody)
    server.step = server.failing = 0
    assert one.run("run-1", canary(), nobody) == found
    assert isinstance(found, TrialResult)

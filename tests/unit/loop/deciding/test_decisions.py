from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tuneloop.loop.deciding.decisions import Decisions, Incoming, run_id
from tuneloop.loop.deciding.policy import DAY, Evidence, History, Limits, Subject, Verdict, decide
from tuneloop.loop.records import Database

LIMITS = Limits("desk", ("drift",), cooldown=3600.0, daily_budget=3, min_labels=10)


def incoming(key: str = "f1", *, firing: bool = True, version: str = "1", started: str = "2026-01-01") -> Incoming:
    return Incoming("TuneloopSignalDrift", "desk", version, "x", key, started, "x has drifted", firing)


class Loop(RuleBasedStateMachine):
    """Alerts, labels, ends of runs and time in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.labelled = 1e9, 0
        self.decisions = Decisions(Database("sqlite://", "desk"), lambda: self.now)
        self.runs: dict[str, tuple[float, float | None]] = {}

    def judge(self, subject: Subject, history: History, since: float) -> Verdict:
        return decide(subject, LIMITS, history, lambda: Evidence(self.labelled, self.labelled), None, self.now)

    def note(self, key: str, run: str | None) -> None:
        if run is None:
            return
        assert run not in self.runs, f"{key} was accepted twice"
        ends = [end for _, end in self.runs.values()]
        assert None not in ends, "two runs at once"
        assert all(end is not None and self.now - end >= LIMITS.cooldown for end in ends)
        assert sum(self.now - start < DAY for start, _ in self.runs.values()) < LIMITS.daily_budget
        assert self.labelled >= LIMITS.min_labels
        self.runs[run] = (self.now, None)

    @rule(number=st.integers(0, 9), firing=st.booleans())
    def alert(self, number: int, firing: bool) -> None:
        decision = self.decisions.take(incoming(f"f{number}", firing=firing), self.judge)
        if decision.changed:
            self.note(decision.record.key, decision.record.run)
        else:
            assert decision.record.run is None or decision.record.run in self.runs

    @rule()
    def again(self) -> None:
        for decision in self.decisions.again(self.judge):
            self.note(decision.record.key, decision.record.run)

    @rule(rows=st.integers(1, 10))
    def labels(self, rows: int) -> None:
        self.labelled += rows

    @rule(seconds=st.sampled_from([1.0, 600.0, 3600.0, DAY / 2]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: any(end is None for _, end in self.runs.values()))
    @rule(outcome=st.sampled_from(["promoted", "refused", "failed", "rolled-back"]))
    def end(self, outcome: str) -> None:
        run = next(run for run, (_, end) in self.runs.items() if end is None)
        assert self.decisions.finish(run, outcome, "", "2")  # type: ignore[arg-type]
        assert not self.decisions.finish(run, "failed", "", None)
        self.runs[run] = (self.runs[run][0], self.now)

    @invariant()
    def one_run_is_recorded_for_each_accepted(self) -> None:
        assert {record.run for record in self.decisions.recent_runs(1000)} == set(self.runs)


Loop.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestLoop = Loop.TestCase


def yes(subject: Subject, history: History, since: float) -> Verdict:
    return decide(subject, LIMITS, history, lambda: Evidence(10, 10), None, subject.received)


def test_equal_alerts_make_equal_run_ids_and_others_do_not() -> None:
    assert run_id(incoming().key) == run_id(incoming().key)
    keys = [incoming(), incoming("f2"), incoming(started="2026-01-02")]
    assert len({run_id(one.key) for one in keys}) == 3


def test_repetitions_are_counted_and_change_nothing(tmp_path: Path) -> None:
    decisions = Decisions(Database(f"sqlite:///{tmp_path / 'loop.db'}", "desk"), lambda: 1e9)
    assert decisions.take(incoming(), yes).changed
    again = decisions.take(incoming(), yes)
    assert not again.changed
    assert (again.record.times, again.record.outcome) == (2, "accepted")
    assert not decisions.take(incoming(firing=False), yes).changed
    assert len(decisions.recent_runs(10)) == 1


def test_the_database_itself_refuses_a_second_run(tmp_path: Path) -> None:
    file = tmp_path / "loop.db"
    decisions = Decisions(Database(f"sqlite:///{file}", "desk"), lambda: 1e9)
    decisions.take(incoming(), yes)
    with sqlite3.connect(file) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(
            "INSERT INTO tuneloop_loop_runs (model, run, key, why, started, outcome, reason)"
            " VALUES ('desk', 'other', 'k', '', 0, 'running', '')"
        )


def _storm(url: str, worker: int, accepted: multiprocessing.Queue[int]) -> None:
    decisions = Decisions(Database(url, "desk"), lambda: 1e9)
    changed = [decisions.take(incoming(f"f{number % 7}"), yes) for number in range(100)]
    accepted.put(sum(one.changed and one.record.outcome == "accepted" for one in changed))


def test_processes_that_decide_at_once_accept_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'loop.db'}"
    Database(url, "desk").close()
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=_storm, args=(url, worker, queue)) for worker in range(3)]
    for process in processes:
        process.start()
    total = sum(queue.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert total == 1


def test_threads_that_decide_at_once_accept_one(tmp_path: Path) -> None:
    decisions = Decisions(Database(f"sqlite:///{tmp_path / 'loop.db'}", "desk"), lambda: 1e9)
    accepted: list[str] = []

    def work(number: int) -> None:
        for place in range(20):
            decision = decisions.take(incoming(f"f{number}-{place}"), yes)
            if decision.changed and decision.record.run:
                accepted.append(decision.record.run)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(accepted) == 1


def test_evidence_counts_from_the_snapshot_of_the_last_promoted_run() -> None:
    now = [1e9]
    decisions = Decisions(Database("sqlite://", "desk"), lambda: now[0])
    seen: list[float] = []

    def judge(subject: Subject, history: History, since: float) -> Verdict:
        seen.append(since)
        return yes(subject, history, since)

    for number, outcome in enumerate(["refused", "promoted", "failed", "refused"]):
        run = decisions.take(incoming(f"f{number}"), judge).record.run
        assert run is not None
        decisions.frozen(run, now[0])
        decisions.frozen(run, now[0] + 1)
        decisions.finish(run, outcome, "", None)  # type: ignore[arg-type]
        now[0] += DAY
    # Asked ahead, and again where nobody else can decide.
    assert seen[::2] == seen[1::2] == [0.0, 0.0, 1e9 + DAY, 1e9 + DAY]

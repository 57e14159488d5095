from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.loop.deciding.policy import (
    BY_HAND,
    DAY,
    SCHEDULED,
    Evidence,
    History,
    Limits,
    Reason,
    Subject,
    Verdict,
    decide,
)

NOW = 5_000_000.0
LIMITS = Limits("desk", ("drift", "accuracy"), cooldown=3600.0, daily_budget=4, min_labels=200)
DRIFT = Subject("TuneloopSignalDrift", "desk", "3", True, NOW)
ENOUGH, NEW = Evidence(1000, 500), History()


def judge(
    subject: Subject = DRIFT,
    history: History = NEW,
    evidence: Evidence = ENOUGH,
    limits: Limits = LIMITS,
    champion: str | None = "3",
) -> Verdict:
    return decide(subject, limits, history, lambda: evidence, champion, NOW)


def test_an_alert_with_enough_new_labels_starts_a_run() -> None:
    verdict = judge()
    assert (verdict.outcome, verdict.reason) == ("accepted", Reason.ACCEPTED)
    assert "500 labelled rows" in verdict.sentence


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (replace(DRIFT, firing=False), Reason.RESOLVED),
        (replace(DRIFT, model="other"), Reason.OTHER_MODEL),
        (replace(DRIFT, alert="DiskFull"), Reason.UNKNOWN_ALERT),
        (replace(DRIFT, version="2"), Reason.SUPERSEDED),
        (replace(DRIFT, received=NOW - DAY - 1), Reason.LAPSED),
    ],
)
def test_what_waiting_does_not_change_is_ignored(subject: Subject, reason: Reason) -> None:
    verdict = judge(subject)
    assert (verdict.outcome, verdict.reason) == ("ignored", reason)


@pytest.mark.parametrize(("on", "alert"), [(("accuracy",), "TuneloopSignalDrift"), (("drift",), "TuneloopAccuracyLow")])
def test_only_enabled_triggers_start_a_run(on: tuple[str, ...], alert: str) -> None:
    verdict = judge(replace(DRIFT, alert=alert), limits=replace(LIMITS, on=on))
    assert (verdict.outcome, verdict.reason) == ("ignored", Reason.NOT_ENABLED)
    assert on[0] in verdict.sentence


@pytest.mark.parametrize(
    ("history", "evidence", "reason", "words"),
    [
        (History(running="loop-1"), ENOUGH, Reason.RUNNING, "loop-1"),
        (History(ended=NOW - 600), ENOUGH, Reason.COOLDOWN, "3000 s to wait"),
        (History(started=(NOW - 1,) * 4), ENOUGH, Reason.DAILY_BUDGET, "budget is 4"),
        (History(), Evidence(1000, 199), Reason.FEW_LABELS, "200 are needed"),
        (History(), Evidence(1_000_000, 500), Reason.LOW_COVERAGE, "0.05%"),
        (History(), Evidence(500, 500, lambda: "All rows are equal."), Reason.BAD_DATA, "All rows are equal."),
    ],
)
def test_what_may_change_is_suppressed_with_its_reason(
    history: History, evidence: Evidence, reason: Reason, words: str
) -> None:
    verdict = judge(history=history, evidence=evidence)
    assert (verdict.outcome, verdict.reason) == ("suppressed", reason)
    assert words in verdict.sentence


def test_labels_are_counted_only_when_all_else_is_well() -> None:
    def never() -> Evidence:
        raise AssertionError("counted")

    assert decide(DRIFT, LIMITS, History(running="r"), never, "3", NOW).reason is Reason.RUNNING


def test_a_person_does_not_wait_for_the_cooldown_but_for_the_running_run() -> None:
    hand = replace(DRIFT, alert=BY_HAND, version="")
    assert judge(hand, History(ended=NOW - 1), limits=replace(LIMITS, on=())).outcome == "accepted"
    assert judge(hand, History(running="r")).reason is Reason.RUNNING


def test_the_clock_starts_runs_within_the_limits_of_alerts_and_only_where_the_project_has_a_schedule() -> None:
    clock = replace(DRIFT, alert=SCHEDULED, version="")
    assert judge(clock, limits=replace(LIMITS, on=())).outcome == "accepted"
    assert judge(clock, limits=replace(LIMITS, scheduled=False)).reason is Reason.NOT_ENABLED
    assert judge(clock, History(ended=NOW - 600)).reason is Reason.COOLDOWN
    assert judge(clock, evidence=Evidence(1000, 199)).reason is Reason.FEW_LABELS
    assert "later time" in judge(replace(clock, firing=False)).sentence


def test_where_no_labels_are_asked_for_none_are_needed() -> None:
    def never() -> str:
        raise AssertionError("judged")

    none = replace(LIMITS, min_labels=0)
    assert judge(evidence=Evidence(1000, 0, never), limits=none).outcome == "accepted"
    assert judge(evidence=Evidence(1000, 0)).reason is Reason.FEW_LABELS
    # What is there must be sound all the same.
    assert judge(evidence=Evidence(1000, 50, lambda: "poison"), limits=none).reason is Reason.BAD_DATA


def test_the_project_says_how_many_predictions_need_a_label() -> None:
    assert judge(evidence=Evidence(10_000, 500), limits=replace(LIMITS, min_coverage=0.06)).reason is (
        Reason.LOW_COVERAGE
    )
    assert judge(evidence=Evidence(10_000, 500), limits=replace(LIMITS, min_coverage=0.05)).outcome == "accepted"


@given(
    running=st.none() | st.just("r"),
    ended=st.none() | st.floats(0, NOW),
    started=st.lists(st.floats(NOW - 2 * DAY, NOW), max_size=8).map(tuple),
    labelled=st.integers(0, 1000),
    unlabelled=st.integers(0, 100_000),
    budget=st.integers(0, 5),
    cooldown=st.floats(1, DAY),
    champion=st.none() | st.sampled_from(["2", "3"]),
)
def test_an_accepted_alert_keeps_every_limit(
    running: str | None,
    ended: float | None,
    started: tuple[float, ...],
    labelled: int,
    unlabelled: int,
    budget: int,
    cooldown: float,
    champion: str | None,
) -> None:
    limits = replace(LIMITS, daily_budget=budget, cooldown=cooldown)
    evidence = Evidence(labelled + unlabelled, labelled)
    verdict = judge(DRIFT, History(running, ended, started), evidence, limits, champion)
    assert verdict.sentence
    allowed = (
        running is None
        and (ended is None or NOW - ended >= cooldown)
        and sum(NOW - moment < DAY for moment in started) < budget
        and labelled >= limits.min_labels
        and labelled / (labelled + unlabelled) >= limits.min_coverage
        and champion in (None, "3")
    )
    assert (verdict.outcome == "accepted") == allowed


def test_a_pause_suppresses_whoever_asks() -> None:
    said = "Paused since noon by ada."
    for subject in (DRIFT, replace(DRIFT, alert=BY_HAND)):
        verdict = judge(subject, replace(NEW, paused=said))
        assert (verdict.outcome, verdict.reason, verdict.sentence) == ("suppressed", Reason.PAUSED, said)

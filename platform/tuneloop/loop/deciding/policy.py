"""Whether an alert starts a run. A pure function of what is known; the clock is one of its inputs.

The order of the checks is the order of `Reason`: what can never change comes first, then what costs nothing to know,
then what must be counted. A *suppressed* alert may be decided again as long as it fires: labels arrive late, and a
cooldown ends. An *ignored* one is settled until it arrives again, an *accepted* one for good.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from tuneloop.config import Retrain
from tuneloop.monitoring.rules import ACCURACY_ALERT, CONCEPT_ALERT, DRIFT_ALERT

Outcome = Literal["accepted", "suppressed", "ignored"]

BY_HAND = "ByHand"
"""The alert name of a run that a person asked for."""
SCHEDULED = "Scheduled"
"""The alert name of a run whose time has come."""

TRIGGERS = {DRIFT_ALERT: "drift", ACCURACY_ALERT: "accuracy", CONCEPT_ALERT: "concept"}
"""Alert name to the word `retrain.on` knows it by."""

DAY = 86400.0
"""Seconds: over how long the daily budget is counted, and after how long an alert that is not repeated lapses."""


class Reason(enum.StrEnum):
    """Why an alert was decided on as it was; values of JSON, tables and pages."""

    RESOLVED = "resolved"
    OTHER_MODEL = "other-model"
    UNKNOWN_ALERT = "unknown-alert"
    NOT_ENABLED = "not-enabled"
    SUPERSEDED = "superseded"
    LAPSED = "lapsed"
    PAUSED = "paused"
    RUNNING = "running"
    COOLDOWN = "cooldown"
    DAILY_BUDGET = "daily-budget"
    FEW_LABELS = "few-labels"
    LOW_COVERAGE = "low-coverage"
    BAD_DATA = "bad-data"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy keeps to.

    Attributes:
        model: Whose alerts are meant for this loop.
        on: The triggers that may start a run: `drift`, `accuracy`, `concept`.
        cooldown: Seconds between the end of a run and the next.
        daily_budget: Runs that may start within any 24 hours.
        min_labels: Labelled rows that no champion has learned from.
        min_coverage: Share of the predictions that must have a label: a few hand-picked ones say little of the rest.
        scheduled: Whether the clock may start a run.
    """

    model: str
    on: Collection[str]
    cooldown: float
    daily_budget: int
    min_labels: int
    min_coverage: float = 0.01
    scheduled: bool = True

    @classmethod
    def of(cls, model: str, retrain: Retrain) -> Limits:
        """The limits a project states."""
        return cls(
            model=model,
            on=retrain.on,
            cooldown=retrain.cooldown,
            daily_budget=retrain.daily_budget,
            min_labels=retrain.min_labels,
            min_coverage=retrain.min_coverage,
            scheduled=retrain.schedule is not None,
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known of the alert itself. `received` is when it last arrived, in Unix seconds."""

    alert: str
    model: str
    version: str
    firing: bool
    received: float


@dataclass(frozen=True, slots=True)
class History:
    """The runs so far.

    Attributes:
        running: The id of the run that has not ended; None where there is none.
        ended: Unix second at which the last one ended; None where there was none.
        started: Unix seconds at which runs of the last 24 hours started.
        paused: Who paused the loop and why, in a sentence; empty where nobody did.
    """

    running: str | None = None
    ended: float | None = None
    started: tuple[float, ...] = ()
    paused: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The rows a run would learn from.

    Attributes:
        predictions: Answers given since the champion's data were taken.
        labelled: How many of them have a label.
        fault: What is wrong with the labelled rows; empty where nothing is.
    """

    predictions: int
    labelled: int
    fault: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision: its outcome, the reason for machines, and a sentence for people."""

    outcome: Outcome
    reason: Reason
    sentence: str


def decide(
    subject: Subject,
    limits: Limits,
    history: History,
    evidence: Callable[[], Evidence],
    champion: str | None,
    now: float,
) -> Verdict:
    """Whether this alert starts a run now.

    Args:
        subject: The alert.
        limits: What the policy keeps to.
        history: Runs so far.
        evidence: Reads the labelled rows so far; asked only when all else is well, its `fault` last.
        champion: The version that serves; None: unknown, no alert is superseded.
        now: Unix seconds.
    """
    against = _settled(subject, limits, champion, now) or _too_early(subject, limits, history, now)
    if against is not None:
        return against
    found = evidence()
    against = _too_little(limits, found)
    return against or Verdict("accepted", Reason.ACCEPTED, f"{found.labelled} labelled rows are new: a run starts.")


def _settled(subject: Subject, limits: Limits, champion: str | None, now: float) -> Verdict | None:
    """What waiting does not change."""
    if not subject.firing:
        later = subject.alert == SCHEDULED
        return _ignored(Reason.RESOLVED, "A later time of the schedule came." if later else "The alert is resolved.")
    if subject.model != limits.model:
        return _ignored(
            Reason.OTHER_MODEL, f"The alert is of model {subject.model!r}, this loop is of {limits.model!r}."
        )
    if subject.alert == SCHEDULED and not limits.scheduled:
        return _ignored(Reason.NOT_ENABLED, "The project has no `retrain.schedule` any more.")
    if subject.alert not in (BY_HAND, SCHEDULED):
        trigger = TRIGGERS.get(subject.alert)
        if trigger is None:
            known = ", ".join(sorted(TRIGGERS))
            return _ignored(Reason.UNKNOWN_ALERT, f"{subject.alert!r} starts no runs; those that do: {known}.")
        if trigger not in limits.on:
            listed = ", ".join(sorted(limits.on)) or "nothing"
            return _ignored(Reason.NOT_ENABLED, f"`retrain.on` holds {listed}, not {trigger}.")
    if champion is not None and subject.version and subject.version != champion:
        return _ignored(
            Reason.SUPERSEDED, f"The alert is about version {subject.version}; version {champion} is champion now."
        )
    if now - subject.received > DAY:
        return _ignored(Reason.LAPSED, "The alert was not repeated for 24 hours.")
    return None


def _too_early(subject: Subject, limits: Limits, history: History, now: float) -> Verdict | None:
    """What time alone changes, or a person."""
    if history.paused:
        return _suppressed(Reason.PAUSED, history.paused)
    if history.running is not None:
        return _suppressed(Reason.RUNNING, f"Run {history.running} is not finished.")
    # The cooldown keeps alerts from chasing each other; a person knows what they ask for.
    since = None if history.ended is None or subject.alert == BY_HAND else now - history.ended
    if since is not None and since < limits.cooldown:
        left = limits.cooldown - since
        return _suppressed(Reason.COOLDOWN, f"The last run ended {since:.0f} s ago; {left:.0f} s to wait.")
    recent = sum(1 for moment in history.started if now - moment < DAY)
    if recent >= limits.daily_budget:
        return _suppressed(
            Reason.DAILY_BUDGET, f"{recent} runs started within 24 hours; the daily budget is {limits.daily_budget}."
        )
    return None


def _too_little(limits: Limits, evidence: Evidence) -> Verdict | None:
    """What more labels change."""
    if evidence.labelled < limits.min_labels:
        return _suppressed(
            Reason.FEW_LABELS, f"{evidence.labelled} labelled rows are new; {limits.min_labels} are needed."
        )
    if not evidence.labelled:
        # Only where `retrain.min_labels` is 0: the project's own data have grown.
        return None
    coverage = evidence.labelled / evidence.predictions if evidence.predictions else 1.0
    if coverage < limits.min_coverage:
        return _suppressed(
            Reason.LOW_COVERAGE,
            f"{coverage:.2%} of {evidence.predictions} predictions have a label; {limits.min_coverage:.0%} are needed.",
        )
    fault = evidence.fault()
    return _suppressed(Reason.BAD_DATA, fault) if fault else None


def _ignored(reason: Reason, sentence: str) -> Verdict:
    return Verdict("ignored", reason, sentence)


def _suppressed(reason: Reason, sentence: str) -> Verdict:
    return Verdict("suppressed", reason, sentence)

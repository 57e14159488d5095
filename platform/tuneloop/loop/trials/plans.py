"""What each trial of a version compares with what: shadow, canary, and the watch over a new champion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneloop.loop.trials.counting import NOT_TAKEN as REFUSALS
from tuneloop.loop.trials.counting import SHADOW_LABELS, SHADOW_ROWS, Page, series
from tuneloop.loop.trials.judge import NOT_TAKEN, Finding, Latency, Paired, disagrees, worse, worse_unseen
from tuneloop.loop.trials.tally import Tally, challenger_tally, champion_tally
from tuneloop.monitoring.metrics import AGREE, CHALLENGER_ONLY, CHAMPION_ONLY, DIFFER, FAILED, RIGHT

if TYPE_CHECKING:
    from tuneloop.config import RolloutLimits


@dataclass(frozen=True)
class Plan(ABC):
    """One trial.

    Attributes:
        stage: Its name on record.
        version: What is tried.
        champion: What it is compared with.
        seconds: How long it lasts at least.
        limits: From where on the version is worse.
        rows: Rows or requests that it must have answered; 0: however many there are.
        timeout: Seconds after which it ends also with fewer.
    """

    stage: str
    version: str
    champion: str
    seconds: float
    limits: RolloutLimits
    rows: int = 0
    timeout: float = 0.0

    @property
    def versions(self) -> Collection[str]:
        """The versions whose counters are read."""
        return (self.version, self.champion)

    @abstractmethod
    def answered(self, total: Page) -> float:
        """Rows or requests that it answered, of increments since the trial began."""

    @abstractmethod
    def evidence(self, total: Page) -> float:
        """How much there is to judge; a look is taken where it has grown enough."""

    @abstractmethod
    def judge(self, total: Page, look: int, over: float) -> Finding | None:
        """Why the version must go, where it must.

        Args:
            total: Increments since the trial began.
            look: Which look it is, from 1.
            over: Which part of the trial's time is over, 0 to 1 and beyond.
        """

    @abstractmethod
    def said(self, total: Page) -> str:
        """The figures in words."""

    @abstractmethod
    def figures(self, total: Page) -> dict[str, Any]:
        """The figures as JSON values."""

    def refused(self, total: Page) -> Finding | None:
        """Whether a server would not take the version."""
        found = [key.rpartition("=")[2] for key in total if key.startswith(REFUSALS)]
        return Finding(NOT_TAKEN, f"a server would not try it: {', '.join(sorted(found))}") if found else None


@dataclass(frozen=True)
class ShadowPlan(Plan):
    """The version answers the same rows unseen. `agreement`: the least share of equal answers; None: any."""

    agreement: float | None = None

    def pair(self, total: Page) -> Paired:
        """What both answered."""
        one = {"version": self.version, "champion": self.champion}
        rows = {name: total.get(series(SHADOW_ROWS, outcome=name, **one), 0.0) for name in (AGREE, DIFFER, FAILED)}
        right = {name: total.get(series(SHADOW_LABELS, right=name, **one), 0.0) for name in RIGHT}
        return Paired(
            answered=rows[AGREE] + rows[DIFFER],
            agreed=rows[AGREE],
            failed=rows[FAILED],
            labels=sum(right.values()),
            champion_only=right[CHAMPION_ONLY],
            challenger_only=right[CHALLENGER_ONLY],
        )

    def answered(self, total: Page) -> float:
        """See `Plan`."""
        return self.pair(total).answered

    def evidence(self, total: Page) -> float:
        """See `Plan`."""
        pair = self.pair(total)
        return pair.answered + pair.failed + pair.labels

    def judge(self, total: Page, look: int, over: float) -> Finding | None:  # noqa: ARG002
        """See `Plan`."""
        pair = self.pair(total)
        found = worse_unseen(pair, self.limits, look)
        if found is None and self.agreement is not None:
            found = disagrees(pair, self.agreement, look)
        return found

    def said(self, total: Page) -> str:
        """See `Plan`."""
        return f"version {self.version} unseen: {self.pair(total).said()}"

    def figures(self, total: Page) -> dict[str, Any]:
        """See `Plan`."""
        pair = self.pair(total)
        return {name: getattr(pair, name) for name in Paired.__slots__}


@dataclass(frozen=True)
class CanaryPlan(Plan):
    """The version answers a share of the requests, the champion the rest at the same time."""

    def pair(self, total: Page) -> tuple[Tally, Tally]:
        """How the version did, and how the champion did."""
        return challenger_tally(total, self.version), champion_tally(total, self.champion)

    def answered(self, total: Page) -> float:
        """See `Plan`."""
        return self.pair(total)[0].answered

    def evidence(self, total: Page) -> float:
        """See `Plan`."""
        new = self.pair(total)[0]
        return new.asked + new.labels

    def judge(self, total: Page, look: int, over: float) -> Finding | None:  # noqa: ARG002
        """See `Plan`."""
        return worse(*self.pair(total), self.limits, look)

    def said(self, total: Page) -> str:
        """See `Plan`."""
        new, old = self.pair(total)
        return f"version {self.version}: {new.said()}; version {self.champion}: {old.said()}"

    def figures(self, total: Page) -> dict[str, Any]:
        """See `Plan`."""
        new, old = self.pair(total)
        return {"version": new.figures(), "champion": old.figures()}


SETTLED = 0.2
"""Part of the watch after which latency counts."""
ENOUGH = 200
"""Requests of the champion since the run began that suffice to know how it did: its newest figures are the fairest."""


@dataclass(frozen=True)
class WatchPlan(CanaryPlan):
    """The version is champion now; it is compared with how the one before did until then.

    Labels of the one before that still arrive count for it: they are about the world as it is. Its labels from before
    the run began do not: there the world was another, or the run would not have been asked for.

    Attributes:
        before: What the servers counted from the run's begin to the promotion.
        standing: What they had counted since they started; taken for requests where `before` holds few.
    """

    before: Mapping[str, float] = field(default_factory=dict)
    standing: Mapping[str, float] = field(default_factory=dict)

    def judge(self, total: Page, look: int, over: float) -> Finding | None:
        """See `Plan`. The first part of the time says little of latency: what was just loaded is still cold."""
        latency: Latency = "throughout" if over >= SETTLED else "none"
        return worse(*self.pair(total), self.limits, look, latency)

    def pair(self, total: Page) -> tuple[Tally, Tally]:
        """See `CanaryPlan`."""
        recent, late = champion_tally(self.before, self.champion), champion_tally(total, self.champion)
        old = recent
        if recent.asked < ENOUGH:
            ever = champion_tally(self.standing, self.champion)
            old = Tally(ever.answered, ever.failed, recent.labels, recent.right, ever.buckets)
        return champion_tally(total, self.version), old.labelled_as(late)

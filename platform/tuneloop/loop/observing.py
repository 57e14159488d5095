"""A new version beside the champion, and after it: brought to the servers, observed, and judged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneloop.api import RunError
from tuneloop.loop.baseline import baseline_of
from tuneloop.loop.rollout import Rollout
from tuneloop.loop.stages import Stages
from tuneloop.loop.step_words import canary_stage
from tuneloop.loop.trials.counting import Count
from tuneloop.loop.trials.plans import CanaryPlan, Plan, ShadowPlan, WatchPlan
from tuneloop.loop.trials.trial import TrialResult, Trials
from tuneloop.pipeline.promoting.challenge import Trial, challenge
from tuneloop.pipeline.promoting.promotion import current_channel
from tuneloop.registry import Registry

if TYPE_CHECKING:
    from tuneloop.config import Project

WHO = "loop"
"""Who promotes and rolls back, in the registry's history."""


@dataclass(frozen=True)
class Observing:
    """What the trials of one project work with; see `Retraining`."""

    project: Project
    stages: Stages
    rollout: Rollout
    stopping: threading.Event
    clock: Callable[[], float]

    def shadow(self, run: str, version: str) -> dict[str, Any]:
        """Let the version answer unseen; gives a `TrialResult`."""
        wanted = self.project.rollout.shadow
        if wanted is None:
            return _skipped("rollout.shadow is gone from the project").model_dump()
        plan = ShadowPlan(
            **self._common(run, "shadow", version, wanted.seconds, wanted.rows), agreement=wanted.agreement
        )
        return self._try(run, plan, Trial("shadow"))

    def canary(self, run: str, version: str, share: float) -> dict[str, Any]:
        """Let the version answer a share of the requests; gives a `TrialResult`."""
        wanted = self.project.rollout.canary
        if wanted is None:
            return _skipped("rollout.canary is gone from the project").model_dump()
        plan = CanaryPlan(**self._common(run, canary_stage(share), version, wanted.seconds, wanted.rows))
        return self._try(run, plan, Trial("canary", share, wanted.by))

    def watch(self, run: str, version: str) -> dict[str, Any]:
        """Compare the new champion with the one before; gives a `TrialResult`."""
        base = baseline_of(self.stages, run, "promote")
        seconds = self.project.rollout.watch
        if seconds is None or base.champion is None or base.champion == version:
            return _skipped("there is no champion before to compare with").model_dump()
        count = base.count
        plan = WatchPlan(**self._common(run, "watch", version, seconds, 0), before=count.total, standing=count.standing)
        return self._run(run, plan, lambda: self._moved(version, None), Count(last=count.last)).model_dump()

    def _common(self, run: str, stage: str, version: str, seconds: float, rows: int) -> dict[str, Any]:
        wanted = self.project.rollout
        return {
            "stage": stage,
            "version": version,
            "champion": baseline_of(self.stages, run).champion or "",
            "seconds": seconds,
            "limits": wanted.limits,
            "rows": rows,
            "timeout": wanted.timeout,
        }

    def _try(self, run: str, plan: Plan, trial: Trial) -> dict[str, Any]:
        """Bring a challenger to the servers and observe it; it is tried on when this returns."""
        if not plan.champion:
            return _skipped("there is no champion to compare with").model_dump()
        # Where the counters stood before a server took it, or would not.
        first = Count().add(self.rollout.counters(plan.versions))
        moved = self._moved(plan.champion, None)
        if moved:
            raise RunError(moved)
        tried = current_channel(self.project)
        entry = None if tried is None else tried.challenger
        wanted = (plan.version, trial.mode, trial.share, trial.by)
        if entry is None or (entry.version, entry.mode, entry.share, entry.by) != wanted:
            why = f"{plan.stage} of run {run}"
            challenge(self.project, plan.version, trial, who=WHO, why=why, once=True)
        return self._run(run, plan, lambda: self._moved(plan.champion, (plan.version, trial)), first).model_dump()

    def _run(self, run: str, plan: Plan, moved: Callable[[], str], first: Count) -> TrialResult:
        trials = Trials(self.stages, self.rollout, self.project.rollout.on_timeout, self.stopping, self.clock)
        return trials.run(run, plan, moved, first)

    def _moved(self, champion: str, tried: tuple[str, Trial] | None) -> str:
        """Whether somebody else changed what is served or tried; empty where nobody did."""
        channel = current_channel(self.project)
        if channel is None:
            return ""
        if channel.champion.version != champion:
            return f"version {channel.champion.version} is champion by now ({last_move(self.project)})"
        entry = channel.challenger
        if tried is not None and (entry is None or (entry.version, entry.share) != (tried[0], tried[1].share)):
            return f"version {tried[0]} is not tried any more ({last_move(self.project)})"
        return ""


def last_move(project: Project) -> str:
    """Who changed what is served or tried, as the registry has it."""
    moves = Registry(project).history()
    return f"{moves[-1].kind} {moves[-1].version} by {moves[-1].who}: {moves[-1].why}" if moves else "no move known"


def _skipped(why: str) -> TrialResult:
    return TrialResult(reason="", sentence=f"not compared: {why}")

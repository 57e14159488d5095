"""A trial at work: figures are read again and again until the version is worse, or has shown enough, or time is up.

All that it must remember stands in the records of stages: since when it lasts, what was counted, and how many looks
were taken. So a loop that is killed goes on where it was, and the clock of a trial runs on while there is no loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pydantic

from tuneloop.loop.rollout import Rollout
from tuneloop.loop.stages import Stages
from tuneloop.loop.training import Stopped
from tuneloop.loop.trials.counting import Count
from tuneloop.loop.trials.judge import BY_HAND, FEW_ROWS, Finding
from tuneloop.loop.trials.plans import Plan

_GROWTH = 1.5
"""How many times as much evidence the next look needs: few looks, so that each may be sharp."""
_FIRST_LOOK = 20.0
_LOOKS, _FASTEST, _SLOWEST = 60.0, 0.2, 5.0
SEEN_LATE = 3.0
"""Seconds: servers count what they answered, and read the channel, once a second."""


class TrialResult(pydantic.BaseModel):
    """How a trial ended: one of `judge.REASONS`, empty where it passed, and a sentence with the figures."""

    model_config = pydantic.ConfigDict(frozen=True)
    reason: str
    sentence: str


class Memory(pydantic.BaseModel):
    """What a trial remembers over a restart; its result too, which is not found anew."""

    model_config = pydantic.ConfigDict(frozen=True)
    count: Count = Count()
    looks: int = 0
    judged: float = 0.0
    result: TrialResult | None = None


@dataclass(frozen=True)
class Trials:
    """Runs trials of one model.

    Attributes:
        stages: The record.
        rollout: Reads the servers' counters.
        on_timeout: What too few rows mean.
        stopping: Set when the loop is asked to end.
        clock: Unix seconds.
    """

    stages: Stages
    rollout: Rollout
    on_timeout: Literal["stop", "promote"]
    stopping: threading.Event
    clock: Callable[[], float]

    def run(self, run: str, plan: Plan, moved: Callable[[], str], first: Count | None = None) -> TrialResult:
        """Try until it is decided.

        Args:
            run: The run's id.
            plan: What is compared with what.
            moved: Says, in a sentence, that somebody else changed what is served or tried; empty: nobody did.
            first: Where the servers' counters stood when the trial began; None: where they stand now.

        Raises:
            Stopped: The loop is asked to end.
        """
        started = self.stages.begin(run, plan.stage).started
        text = self.stages.state(run, plan.stage)
        memory = Memory.model_validate_json(text) if text else Memory(count=first or Count())
        if memory.result is not None:
            return memory.result
        while True:
            count = memory.count.add(self.rollout.counters(plan.versions))
            elapsed = self.clock() - started
            answered = plan.answered(count.total)
            enough = answered >= plan.rows and elapsed >= plan.seconds
            late = elapsed >= max(plan.timeout, plan.seconds + SEEN_LATE)
            memory = memory.model_copy(update={"count": count})
            memory, found = _look(plan, memory, elapsed / plan.seconds, last=enough or late)
            said = f"{plan.stage}, {elapsed:.0f} s: {plan.said(count.total)}"
            by_hand = moved()
            result = None
            if found is not None:
                result = TrialResult(reason=found.reason, sentence=f"{found.sentence} [{said}]")
            elif by_hand:
                result = TrialResult(reason=BY_HAND, sentence=f"{by_hand} [{said}]")
            elif enough:
                result = TrialResult(reason="", sentence=said)
            elif late:
                result = self._few(answered, plan.rows, said)
            memory = memory.model_copy(update={"result": result})
            self.stages.note(run, plan.stage, said, plan.figures(count.total), memory.model_dump_json())
            if result is not None:
                return result
            if self.stopping.wait(min(max(plan.seconds / _LOOKS, _FASTEST), _SLOWEST)):
                raise Stopped

    def _few(self, answered: float, wanted: int, said: str) -> TrialResult:
        reason = FEW_ROWS if self.on_timeout == "stop" else ""
        few = f"only {answered:.0f} of the {wanted} rows that were to be seen came in time"
        return TrialResult(reason=reason, sentence=f"{few}, and rollout.on_timeout is {self.on_timeout} [{said}]")


def _look(plan: Plan, memory: Memory, over: float, *, last: bool) -> tuple[Memory, Finding | None]:
    """Judge, where there is enough more to judge than at the last look, or the trial ends."""
    refused = plan.refused(memory.count.total)
    if refused is not None:
        return memory, refused
    evidence = plan.evidence(memory.count.total)
    due = evidence >= max(_FIRST_LOOK, memory.judged * _GROWTH)
    if not due and not (last and evidence > memory.judged):
        return memory, None
    look = memory.looks + 1
    after = memory.model_copy(update={"looks": look, "judged": evidence})
    return after, plan.judge(memory.count.total, look, over)

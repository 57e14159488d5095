"""The steps of a retraining. Each asks first whether its work is done already: any may be cut off and done again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from tuneloop.api import RunError
from tuneloop.loop.deciding.approvals import approval_of, ask, withdraw
from tuneloop.loop.deciding.decisions import Decisions
from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.records import RunOutcome
from tuneloop.loop.rollout import Rollout, as_view
from tuneloop.loop.stages import Stages
from tuneloop.loop.training import Stopped, Training
from tuneloop.loop.trials.counting import Count
from tuneloop.loop.trials.plans import CanaryPlan, Plan, ShadowPlan, WatchPlan
from tuneloop.loop.trials.trial import TrialResult, Trials
from tuneloop.pipeline import promote, publish, rollback
from tuneloop.pipeline.promoting.challenge import Trial, challenge, stop_challenge
from tuneloop.pipeline.promoting.promotion import current_channel
from tuneloop.pipeline.runs.records import FEEDBACK, is_recorded, run_folder
from tuneloop.registry import CHAMPION, Registry

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager

logger = logging.getLogger(__name__)

WHO = "loop"
"""Who promotes and rolls back, in the registry's history."""
_APPROVAL_POLL = 0.5


class Baseline(pydantic.BaseModel):
    """The champion when the run began, and what the servers counted of it since."""

    model_config = pydantic.ConfigDict(frozen=True)
    champion: str | None = None
    count: Count = Count()


@dataclass(frozen=True)
class Retraining:
    """What retrainings of one project work with.

    Attributes:
        project: The project.
        plugins: Observers among them are told.
        decisions: Where the run is recorded.
        stages: Where its stages are.
        evidence: Where labelled rows come from.
        training: Runs the pipeline.
        rollout: Watches the servers.
        ended: Called with the outcome, the seconds and the cause of a run that this process ended; the cause is one
            of `judge.REASONS`, or empty.
        stage_ended: Called with the kind and the seconds of a stage that this process ended.
        stopping: Set when the loop is asked to end; no step begins then.
        clock: Unix seconds.
    """

    project: Project
    plugins: PluginManager
    decisions: Decisions
    stages: Stages
    evidence: EvidenceReader
    training: Training
    rollout: Rollout
    ended: Callable[[RunOutcome, float, str], None]
    stage_ended: Callable[[str, float], None]
    stopping: threading.Event
    clock: Callable[[], float] = time.time
    at_work: threading.Lock = field(default_factory=threading.Lock)

    def do(self, name: str, *arguments: Any) -> Any:
        """Do one step, and record it as a stage where it is one.

        Raises:
            Stopped: The loop is asked to end.
        """
        with self.at_work:
            if self.stopping.is_set():
                raise Stopped
            step = getattr(self, name)
            stage = stage_of(name, arguments)
            if stage is None:
                return step(*arguments)
            run = str(arguments[0])
            self.stages.begin(run, stage)
            try:
                result = step(*arguments)
            except Exception as error:
                self._end(run, stage, str(error) or type(error).__name__)
                raise
            self._end(run, stage, _SAID[name](result))
            return result

    def settle(self, timeout: float = 20.0) -> None:
        """Return when no step is at work any more; `stopping` is set."""
        if self.at_work.acquire(timeout=timeout):
            self.at_work.release()

    def feedback(self, run: str) -> Path:
        """Where the labelled rows of a run are frozen."""
        return run_folder(self.project.state, run) / FEEDBACK

    def freeze(self, run: str) -> int:
        """Freeze the labelled rows; gives their number."""
        moment = self.clock()
        if not self.stages.state(run, "freeze"):
            champion = Registry(self.project).find(CHAMPION)
            counters = {} if champion is None else self.rollout.counters((champion.number,))
            known = Baseline(champion=champion.number if champion else None, count=Count().add(counters))
            self.stages.note(run, "freeze", "", {}, known.model_dump_json())
        rows = self.evidence.snapshot(self.feedback(run))
        self.decisions.frozen(run, moment)
        return rows

    def train(self, run: str) -> dict[str, Any]:
        """Run the pipeline; gives `state`, `version`, `sha256` and `reasons`."""
        if not is_recorded(self.project.state, run) and (made := Registry(self.project).made_by(run)) is not None:
            # Another host trained to the end, and was gone before it could say so.
            reasons = () if made.gate == "passed" else (f"the gate refused version {made.number}, as its report says",)
            return {"state": made.gate, "version": made.number, "sha256": made.sha256, "reasons": reasons}
        # Another host froze them, and its folder is not here; a snapshot that is here stays.
        self.evidence.snapshot(self.feedback(run))
        status = self.training.run(run, self.feedback(run))
        return status.model_dump(mode="json", include={"state", "version", "sha256", "reasons"})

    def plan(self) -> dict[str, Any]:
        """The stages of the rollout, as the project has them now: later changes are for later runs."""
        wanted = self.project.rollout
        return {
            "approval": wanted.approval,
            "shadow": wanted.shadow is not None,
            "canary": list(wanted.canary.steps) if wanted.canary else [],
            "watch": wanted.watch is not None,
        }

    def approval(self, run: str, version: str) -> dict[str, Any]:
        """Wait for a person's word; gives `approved` and a `sentence`."""
        database = self.decisions.database
        ask(database, run, version, self.clock())
        logger.info("run %s waits for a word on version %s: tuneloop loop approve %s", run, version, run)
        while (found := approval_of(database, run)) is None or found.decided is None:
            if self.stopping.wait(_APPROVAL_POLL):
                raise Stopped
        why = f": {found.why}" if found.why else ""
        said = "approved" if found.approved else "declined"
        return {"approved": bool(found.approved), "sentence": f"{said} by {found.who}{why}"}

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

    def stop(self, version: str, why: str) -> None:
        """Try the version no more; another challenger by now is left alone."""
        channel = current_channel(self.project)
        if channel is not None and channel.challenger is not None and channel.challenger.version == version:
            stop_challenge(self.project, who=WHO, why=why)

    def look(self) -> dict[str, Any] | None:
        """What the servers say before the channel changes."""
        view = self.rollout.look()
        return None if view is None else view.model_dump(mode="json")

    def promote(self, run: str, version: str) -> str:
        """Make the version the champion and put it into the channel; gives why not, empty where it is done."""
        registry = Registry(self.project)
        champion, base = registry.find(CHAMPION), self._baseline(run)
        if champion is not None and champion.number == version:
            publish(self.project, registry)
            return ""
        if champion is not None and base.champion not in (None, champion.number):
            return f"version {champion.number} became champion while the run was at work ({self._last_move()})"
        counters = {} if champion is None else self.rollout.counters((champion.number, version))
        known = Baseline(champion=base.champion, count=base.count.add(counters))
        self.stages.note(run, "promote", "", {}, known.model_dump_json())
        record = self.decisions.run(run)
        why = record.why if record is not None else "asked for by an alert"
        promote(self.project, self.plugins, version, who=WHO, why=why)
        return ""

    def prove(self, _: str, version: str, sha256: str, before: dict[str, Any] | None) -> tuple[bool, str]:
        """Wait until the servers answer with the version: whether they do, and a sentence."""
        result = self.rollout.wait(version, sha256, as_view(before))
        return result.live, result.sentence

    def watch(self, run: str, version: str) -> dict[str, Any]:
        """Compare the new champion with the one before; gives a `TrialResult`."""
        text = self.stages.state(run, "promote")
        base = Baseline.model_validate_json(text) if text else self._baseline(run)
        seconds = self.project.rollout.watch
        if seconds is None or base.champion is None or base.champion == version:
            return _skipped("there is no champion before to compare with").model_dump()
        count = base.count
        plan = WatchPlan(**self._common(run, "watch", version, seconds, 0), before=count.total, standing=count.standing)
        return self._run(run, plan, lambda: self._moved(version, None), Count(last=count.last)).model_dump()

    def undo(self, _: str, version: str, why: str) -> str:
        """Put the champion before this version back; gives a sentence. Another champion by now is left alone."""
        registry = Registry(self.project)
        champion = registry.find(CHAMPION)
        if champion is None or champion.number != version:
            if champion is not None:
                publish(self.project, registry)
            return f"version {champion.number if champion else 'none'} is champion"
        move = rollback(self.project, self.plugins, who=WHO, why=why)
        return f"version {move.version} is champion again"

    def finish(self, run: str, outcome: RunOutcome, reason: str, version: str | None, cause: str) -> None:
        """Record how the run ended."""
        withdraw(self.decisions.database, run, self.clock(), f"the run ended: {outcome}")
        if self.decisions.finish(run, outcome, reason, version):
            record = self.decisions.run(run)
            if record is not None and record.ended is not None:
                self.ended(outcome, record.ended - record.started, cause)
            logger.info("run %s: %s: %s", run, outcome, reason)

    def _common(self, run: str, stage: str, version: str, seconds: float, rows: int) -> dict[str, Any]:
        wanted = self.project.rollout
        return {
            "stage": stage,
            "version": version,
            "champion": self._baseline(run).champion or "",
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
            return f"version {channel.champion.version} is champion by now ({self._last_move()})"
        entry = channel.challenger
        if tried is not None and (entry is None or (entry.version, entry.share) != (tried[0], tried[1].share)):
            return f"version {tried[0]} is not tried any more ({self._last_move()})"
        return ""

    def _last_move(self) -> str:
        moves = Registry(self.project).history()
        return f"{moves[-1].kind} {moves[-1].version} by {moves[-1].who}: {moves[-1].why}" if moves else "no move known"

    def _baseline(self, run: str) -> Baseline:
        text = self.stages.state(run, "freeze")
        return Baseline.model_validate_json(text) if text else Baseline()

    def _end(self, run: str, stage: str, sentence: str | None) -> None:
        ended = self.stages.end(run, stage, sentence)
        if ended is not None and ended.ended is not None:
            self.stage_ended(stage.split()[0], ended.ended - ended.started)


def canary_stage(share: float) -> str:
    """The name of a step of the canary: `canary 5%`."""
    return f"canary {share * 100:g}%"


_SAID: dict[str, Callable[[Any], str | None]] = {
    "freeze": lambda rows: f"{rows} labelled rows",
    "train": lambda status: f"{status['state']}: version {status['version']}" if status["version"] else status["state"],
    "approval": lambda found: str(found["sentence"]),
    "shadow": lambda result: str(result["sentence"]),
    "canary": lambda result: str(result["sentence"]),
    "promote": lambda refusal: str(refusal) or "promoted",
    "prove": lambda found: str(found[1]),
    "watch": lambda result: str(result["sentence"]),
    "undo": str,
}
"""The steps that are stages of their own, and what each says of its result."""


def stage_of(name: str, arguments: tuple[Any, ...]) -> str | None:
    """The stage that a step is; None where it is none."""
    if name not in _SAID:
        return None
    return canary_stage(arguments[2]) if name == "canary" else name


def _skipped(why: str) -> TrialResult:
    return TrialResult(reason="", sentence=f"not compared: {why}")

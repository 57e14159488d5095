"""The steps of a retraining. Each asks first whether its work is done already: any may be cut off and done again.

So a database that is away for a while ends no run: the step waits for it and is done again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tuneloop.loop.baseline import Baseline, baseline_of
from tuneloop.loop.deciding.approvals import approval_of, ask, withdraw
from tuneloop.loop.deciding.decisions import Decisions
from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.observing import WHO, Observing, last_move
from tuneloop.loop.records import RunOutcome
from tuneloop.loop.rollout import Rollout, as_view
from tuneloop.loop.stages import Stages
from tuneloop.loop.step_words import SAID, stage_of
from tuneloop.loop.training import Stopped, Training
from tuneloop.loop.trials.counting import Count
from tuneloop.monitoring.postgres import in_words, may_pass
from tuneloop.pipeline import promote, publish, rollback
from tuneloop.pipeline.promoting.challenge import stop_challenge
from tuneloop.pipeline.promoting.promotion import current_channel
from tuneloop.pipeline.runs.records import FEEDBACK, is_recorded, run_folder
from tuneloop.registry import CHAMPION, Registry

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager

logger = logging.getLogger(__name__)

_APPROVAL_POLL = 0.5
_AGAIN_SECONDS = 5.0
"""Until a step that found a database away is done again."""


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
        """Do one step, and record it as a stage where it is one; again and again while a database is away.

        What this raises becomes the recorded result of the step, and that an outage must not.

        Raises:
            Stopped: The loop is asked to end.
        """
        with self.at_work:
            while True:
                if self.stopping.is_set():
                    raise Stopped
                try:
                    return self._once(name, *arguments)
                except Exception as error:
                    outage = _outage(error)
                    if outage is None:
                        raise
                    words = "the step %r waits for its database, and is done again in %g s: %s"
                    logger.warning(words, name, _AGAIN_SECONDS, in_words(outage))
                self.stopping.wait(_AGAIN_SECONDS)

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
        return self._observing.shadow(run, version)

    def canary(self, run: str, version: str, share: float) -> dict[str, Any]:
        """Let the version answer a share of the requests; gives a `TrialResult`."""
        return self._observing.canary(run, version, share)

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
        champion, base = registry.find(CHAMPION), baseline_of(self.stages, run)
        if champion is not None and champion.number == version:
            publish(self.project, registry)
            return ""
        if champion is not None and base.champion not in (None, champion.number):
            return f"version {champion.number} became champion while the run was at work ({last_move(self.project)})"
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
        return self._observing.watch(run, version)

    def undo(self, _: str, version: str, why: str) -> str:
        """Put the champion before this version back; gives a sentence. Another champion by now is left alone."""
        registry = Registry(self.project)
        champion = registry.find(CHAMPION)
        if champion is None or champion.number != version:
            # What failed may have done so before anything moved: then it is tried still, and nobody watches it.
            self.stop(version, why)
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

    @property
    def _observing(self) -> Observing:
        return Observing(self.project, self.stages, self.rollout, self.stopping, self.clock)

    def _once(self, name: str, *arguments: Any) -> Any:
        step = getattr(self, name)
        stage = stage_of(name, arguments)
        if stage is None:
            return step(*arguments)
        run = str(arguments[0])
        self.stages.begin(run, stage)
        try:
            result = step(*arguments)
        except Exception as error:
            if _outage(error) is None:
                self._end(run, stage, str(error) or type(error).__name__)
            raise
        self._end(run, stage, SAID[name](result))
        return result

    def _end(self, run: str, stage: str, sentence: str | None) -> None:
        ended = self.stages.end(run, stage, sentence)
        if ended is not None and ended.ended is not None:
            self.stage_ended(stage.split()[0], ended.ended - ended.started)


def _outage(error: BaseException | None) -> sa.exc.DBAPIError | None:
    """What a database said that is away, or held by somebody else, for now; None where a step failed otherwise.

    The registry tells of its own database in other words, and names the cause.
    """
    while error is not None and not isinstance(error, sa.exc.DBAPIError):
        error = error.__cause__
    if error is not None and isinstance(error.orig, sqlite3.Error):
        # A file is not away for a while; its other errors wait for a person.
        return error if "locked" in str(error.orig) else None
    return error if error is not None and may_pass(error) else None

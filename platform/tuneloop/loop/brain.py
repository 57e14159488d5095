"""The loop's decisions at work: an alert is judged, counted, told to observers, and its run begins."""

from __future__ import annotations

import functools
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tuneloop.api import AlertEvent, RunError
from tuneloop.loop.deciding.approvals import Approval, waiting
from tuneloop.loop.deciding.decisions import Decision, Decisions, Incoming, Judge
from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.deciding.pause import paused
from tuneloop.loop.deciding.policy import BY_HAND, SCHEDULED, TRIGGERS, History, Limits, Subject, Verdict, decide
from tuneloop.loop.deciding.schedule import Schedule, iso
from tuneloop.loop.records import AlertRecord, LoopRun
from tuneloop.loop.stages import Stage, Stages
from tuneloop.monitoring.metrics import LoopMetrics
from tuneloop.pipeline.promoting.promotion import current_channel
from tuneloop.pipeline.runs.records import read_status, run_folder

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager

logger = logging.getLogger(__name__)

_STATUS_ROWS = 20
_DEAD = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


@dataclass(frozen=True)
class Brain:
    """What the receiver and the clockwork of the loop share. Thread safe.

    Attributes:
        project: The project.
        plugins: Observers among them are told of every decision that changed.
        decisions: The durable record.
        evidence: Labelled rows.
        metrics: Counters.
        begin: Starts the durable workflow of a run, given its id; gives the workflow's status.
        clock: Unix seconds.
        detectors: How the detectors of late labels stand, as JSON values.
        due: The time of the schedule that has come last, given the time now; None: none. Unix seconds.
    """

    project: Project
    plugins: PluginManager
    decisions: Decisions
    evidence: EvidenceReader
    metrics: LoopMetrics
    begin: Callable[[str], str]
    clock: Callable[[], float]
    detectors: Callable[[], list[dict[str, Any]]] = list
    due: Callable[[float], float | None] = lambda _: None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def take(self, incoming: Incoming) -> Decision:
        """Record one alert and decide on it; an accepted one's run begins."""
        with self._one_at_a_time:
            decision = self.decisions.take(incoming, self._judge())
        repeated = not decision.changed and decision.record.outcome == "accepted"
        self._count(incoming.alert, "repeated" if repeated else decision.record.reason)
        self._follow(decision)
        return decision

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """While the context lasts nothing is decided, so no run is accepted in this process."""
        with self._one_at_a_time:
            yield

    def ask(self, who: str, why: str = "") -> Decision:
        """Decide on a run that a person asks for: all limits but the cooldown hold, and a refusal is final."""
        now = self.clock()
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        summary = f"asked for by {who}: {why}" if why else f"asked for by {who}"
        key = f"hand-{secrets.token_hex(8)}"
        return self.take(Incoming(BY_HAND, self.project.name, "", "", key, moment, summary, firing=True))

    def tick(self) -> None:
        """Take the time that has come, decide anew on alerts that still fire, and see that the run is at work."""
        self._take_due()
        with self._one_at_a_time:
            changed = self.decisions.again(self._judge())
        for decision in changed:
            self._count(decision.record.alert, decision.record.reason)
            self._follow(decision)
        self.continue_run()

    def _take_due(self) -> None:
        """Take a time of the schedule once: as an alert that fires until a later one comes."""
        moment = self.due(self.clock())
        if moment is None or self.decisions.find(_on_time(self.project.name, iso(moment)).key) is not None:
            return
        for old in self.decisions.waiting(SCHEDULED):
            self.take(replace(_on_time(old.of_model, old.started), firing=False))
        self.take(_on_time(self.project.name, iso(moment)))

    def continue_run(self) -> None:
        """Begin the run that was accepted and not begun; end the record of one whose workflow is dead."""
        run = self.decisions.unfinished()
        if run is None:
            return
        status = self.begin(run.run)
        if status in _DEAD and self.decisions.unfinished() == run:
            self.decisions.finish(run.run, "failed", f"its workflow ended ({status}) without a result", None)

    def status(self) -> dict[str, Any]:
        """What the loop is about, as JSON values."""
        run = self.decisions.unfinished()
        running = None
        if run is not None:
            found = read_status(run_folder(self.project.state, run.run))
            stages = [as_json(stage) for stage in Stages(self.decisions.database, self.clock).of(run.run)]
            running = {**as_json(run), "state": found.state, "step": found.step, "stages": stages}
        pause = paused(self.decisions.database)
        return {
            "model": self.project.name,
            "champion": self.champion(),
            "running": running,
            "paused": None if pause is None else pause.sentence,
            "waiting": [as_json(approval) for approval in waiting(self.decisions.database)],
            "runs": [as_json(record) for record in self.decisions.recent_runs(_STATUS_ROWS)],
            "decisions": [as_json(record) for record in self.decisions.recent_alerts(_STATUS_ROWS)],
            "detectors": self.detectors(),
            "next_scheduled": self.next_scheduled(),
        }

    def champion(self) -> str | None:
        """The version in the channel; None where there is no channel."""
        channel = current_channel(self.project)
        return None if channel is None else channel.champion.version

    def next_scheduled(self) -> float | None:
        """The next time of the schedule, in Unix seconds; None where there is no schedule."""
        schedule = Schedule.of(self.project.retrain)
        return None if schedule is None else schedule.next(self.clock())

    def _judge(self) -> Judge:
        """A judge that reads its evidence and the channel once: either may take many seconds."""
        limits = Limits.of(self.project.name, self.project.retrain)
        read, champion = functools.cache(self.evidence.read), functools.cache(self.champion)

        def judge(subject: Subject, history: History, since: float) -> Verdict:
            return decide(subject, limits, history, lambda: read(since), champion(), self.clock())

        return judge

    def _follow(self, decision: Decision) -> None:
        record = decision.record
        if decision.changed:
            event = AlertEvent(record.of_model, record.alert, record.fingerprint, record.started, str(record.reason))
            self.plugins.notify("tuneloop_drift_alert", event)
        if decision.changed and record.run is not None:
            try:
                self.begin(record.run)
            except RunError:
                # It is on record, so the next tick begins it.
                logger.exception("run %s was accepted and could not be started yet", record.run)

    def _count(self, alert: str, decision: str) -> None:
        known = alert if alert in TRIGGERS or alert in (BY_HAND, SCHEDULED) else "other"
        self.metrics.alerts.labels(self.project.name, known, str(decision)).inc()


def _on_time(model: str, moment: str) -> Incoming:
    """A time of the schedule as an alert; `moment` is a text that sorts by time."""
    return Incoming(SCHEDULED, model, "", "", "schedule", moment, f"scheduled for {moment}", firing=True)


def as_json(record: AlertRecord | LoopRun | Stage | Approval) -> dict[str, Any]:
    """The fields of a record as JSON values."""
    return {name: getattr(record, name) for name in type(record).__slots__}

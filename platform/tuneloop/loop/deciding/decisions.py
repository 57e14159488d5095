"""Decisions on alerts: taken once a key, stored before anything is answered.

An alert is known by its fingerprint and its start. The verdict is taken inside one transaction that also reads the
history it rests on and starts the run's record, so neither two threads nor two processes can both say yes. As all who
record something wait for that transaction, the judge is asked once before it, and reads its evidence then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from tuneloop.loop.deciding.pause import read_pause
from tuneloop.loop.deciding.policy import BY_HAND, DAY, History, Subject, Verdict
from tuneloop.loop.records import ENDED, AlertRecord, Database, LoopRun, RunOutcome, alerts, as_alert, as_run, runs

Judge = Callable[[Subject, History, float], Verdict]
"""Gives the verdict on an alert, from it, the runs so far, and since when evidence counts (Unix seconds).

It is asked twice: ahead, and again while nobody else can decide. So it should read its evidence once.
"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """An alert as it arrived. `started` is Alertmanager's `startsAt`, `summary` a sentence for people."""

    alert: str
    model: str
    version: str
    signal: str
    fingerprint: str
    started: str
    summary: str
    firing: bool

    @property
    def key(self) -> str:
        """Equal for all repetitions of one alert."""
        return f"{self.fingerprint}:{self.started}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is recorded of an alert now, and whether this call changed its outcome or reason."""

    record: AlertRecord
    changed: bool


def run_id(key: str) -> str:
    """The id of the run that an alert starts: equal keys give equal ids."""
    return f"loop-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


class Decisions:
    """The durable record of alerts and runs of one model. Thread safe."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock
        self._model = database.model

    @property
    def database(self) -> Database:
        """Where the record is."""
        return self._database

    def take(self, incoming: Incoming, judge: Judge) -> Decision:
        """Record an alert and decide on it, unless it was accepted before. On disk when this returns."""
        now = self._clock()
        subject = Subject(incoming.alert, incoming.model, incoming.version, incoming.firing, now)
        seen = self.find(incoming.key)
        if seen is None or seen.outcome != "accepted":
            self._ask_ahead(subject, judge, now)
        with self._database.write() as connection:
            found = connection.execute(self._alert(incoming.key)).first()
            old = None if found is None else as_alert(found)
            if old is not None and old.outcome == "accepted":
                record = replace(old, firing=incoming.firing, received=now, times=old.times + 1)
                self._put(connection, record, known=True)
                return Decision(record, changed=False)
            verdict = judge(subject, *self._history(connection, now))
            record = AlertRecord(
                key=incoming.key,
                alert=incoming.alert,
                of_model=incoming.model,
                version=incoming.version,
                signal=incoming.signal,
                fingerprint=incoming.fingerprint,
                started=incoming.started,
                summary=incoming.summary,
                firing=incoming.firing,
                outcome=verdict.outcome,
                reason=verdict.reason,
                sentence=verdict.sentence,
                run=run_id(incoming.key) if verdict.outcome == "accepted" else None,
                first_received=now if old is None else old.first_received,
                received=now,
                times=1 if old is None else old.times + 1,
                decided=now,
            )
            return self._settle(connection, old, record)

    def again(self, judge: Judge) -> list[Decision]:
        """Decide anew on every alert that fires and was suppressed, oldest first; gives those that changed."""
        changed: list[Decision] = []
        for key in self._suppressed():
            now = self._clock()
            if (seen := self.find(key)) is not None:
                self._ask_ahead(_subject(seen), judge, now)
            with self._database.write() as connection:
                found = connection.execute(self._alert(key)).first()
                if found is None or (old := as_alert(found)).outcome != "suppressed":
                    continue
                verdict = judge(_subject(old), *self._history(connection, now))
                if (verdict.outcome, verdict.reason, verdict.sentence) == (old.outcome, old.reason, old.sentence):
                    continue
                record = replace(
                    old,
                    outcome=verdict.outcome,
                    reason=verdict.reason,
                    sentence=verdict.sentence,
                    run=run_id(key) if verdict.outcome == "accepted" else None,
                    decided=now,
                )
                decision = self._settle(connection, old, record)
            if decision.changed:
                changed.append(decision)
        return changed

    def find(self, key: str) -> AlertRecord | None:
        """The record of the alert with this key."""
        with self._database.read() as connection:
            found = connection.execute(self._alert(key)).first()
        return None if found is None else as_alert(found)

    def waiting(self, alert: str) -> list[AlertRecord]:
        """The records of this alert name that fire and were suppressed, oldest first."""
        found = [self.find(key) for key in self._suppressed()]
        return [record for record in found if record is not None and record.alert == alert]

    def frozen(self, run: str, moment: float) -> None:
        """The labelled rows of a run were frozen at this Unix second; the first such moment stays."""
        self._update(run, runs.c.snapshot.is_(None), snapshot=moment)

    def finish(self, run: str, outcome: RunOutcome, reason: str, version: str | None) -> bool:
        """Record how a run ended; what is recorded stays. Gives whether it was this call that ended it."""
        if outcome not in ENDED:
            raise ValueError(f"{outcome!r} ends no run; known: {', '.join(ENDED)}")
        ended = self._clock()
        return self._update(run, runs.c.ended.is_(None), outcome=outcome, reason=reason, version=version, ended=ended)

    def run(self, run: str) -> LoopRun | None:
        """One run."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(runs).where(runs.c.model == self._model, runs.c.run == run)).first()
        return None if found is None else as_run(found)

    def unfinished(self) -> LoopRun | None:
        """The run that has not ended, if there is one."""
        query = sa.select(runs).where(runs.c.model == self._model, runs.c.ended.is_(None))
        with self._database.read() as connection:
            found = connection.execute(query).first()
        return None if found is None else as_run(found)

    def recent_alerts(self, limit: int) -> list[AlertRecord]:
        """The alerts decided last, newest first."""
        query = sa.select(alerts).where(alerts.c.model == self._model)
        with self._database.read() as connection:
            return [as_alert(row) for row in connection.execute(query.order_by(alerts.c.decided.desc()).limit(limit))]

    def recent_runs(self, limit: int) -> list[LoopRun]:
        """The runs started last, newest first."""
        query = sa.select(runs).where(runs.c.model == self._model)
        with self._database.read() as connection:
            return [as_run(row) for row in connection.execute(query.order_by(runs.c.started.desc()).limit(limit))]

    def _settle(self, connection: sa.Connection, old: AlertRecord | None, record: AlertRecord) -> Decision:
        if record.run is not None:
            values = {"model": self._model, "run": record.run, "key": record.key, "why": record.summary}
            connection.execute(sa.insert(runs).values(**values, started=record.decided, outcome="running", reason=""))
        self._put(connection, record, known=old is not None)
        return Decision(record, old is None or (old.outcome, old.reason) != (record.outcome, record.reason))

    def _ask_ahead(self, subject: Subject, judge: Judge, now: float) -> None:
        with self._database.read() as connection:
            history = self._history(connection, now)
        judge(subject, *history)

    def _history(self, connection: sa.Connection, now: float) -> tuple[History, float]:
        mine = runs.c.model == self._model
        running = connection.scalar(sa.select(runs.c.run).where(mine, runs.c.ended.is_(None)))
        ended = connection.scalar(sa.select(sa.func.max(runs.c.ended)).where(mine))
        started = connection.scalars(sa.select(runs.c.started).where(mine, runs.c.started > now - DAY)).all()
        learned = sa.select(sa.func.max(runs.c.snapshot)).where(mine, runs.c.outcome == "promoted")
        pause = read_pause(connection, self._model)
        history = History(running, ended, tuple(started), "" if pause is None else pause.sentence)
        return history, connection.scalar(learned) or 0.0

    def _suppressed(self) -> list[str]:
        # A person who was told no asks again; nothing starts behind their back.
        waits = (alerts.c.outcome == "suppressed", alerts.c.firing, alerts.c.alert != BY_HAND)
        query = sa.select(alerts.c.key).where(alerts.c.model == self._model, *waits)
        with self._database.read() as connection:
            return list(connection.scalars(query.order_by(alerts.c.first_received)).all())

    def _alert(self, key: str) -> sa.Select[Any]:
        return sa.select(alerts).where(alerts.c.model == self._model, alerts.c.key == key)

    def _put(self, connection: sa.Connection, record: AlertRecord, *, known: bool) -> None:
        values = {name: getattr(record, name) for name in AlertRecord.__slots__}
        values["reason"] = str(record.reason)
        if known:
            where = (alerts.c.model == self._model, alerts.c.key == record.key)
            connection.execute(sa.update(alerts).where(*where).values(**values))
        else:
            connection.execute(sa.insert(alerts).values(model=self._model, **values))

    def _update(self, run: str, where: sa.ColumnElement[bool], **values: Any) -> bool:
        with self._database.write() as connection:
            mine = (runs.c.model == self._model, runs.c.run == run, where)
            return connection.execute(sa.update(runs).where(*mine).values(**values)).rowcount == 1


def _subject(record: AlertRecord) -> Subject:
    return Subject(record.alert, record.of_model, record.version, record.firing, record.received)

"""Runs by the clock: the times of `retrain.schedule`, each taken once, also when the loop was down as it came.

Times are wall-clock times of a zone. One that the clocks skip in spring comes an hour later, as the hour that is left
out; one that they show twice in autumn comes once, the first time. What was missed is made up for by one run, not by
one a time: the last is what a run would learn from all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from tuneloop.api import MissingExtraError
from tuneloop.loop.schema import schedules

if TYPE_CHECKING:
    from croniter import croniter

    from tuneloop.config import Retrain
    from tuneloop.loop.records import Database


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression, and the time zone whose hours it means; None: that of this machine."""

    expression: str
    timezone: str | None = None

    @classmethod
    def of(cls, retrain: Retrain) -> Schedule | None:
        """The schedule of a project; None where it has none."""
        return None if retrain.schedule is None else cls(retrain.schedule, retrain.timezone)

    def latest(self, now: float) -> float:
        """The last of its times that is not after `now`; both are Unix seconds."""
        # Croniter gives times before what it is given, never that time itself.
        times = self._times(self._local(now) + timedelta(seconds=1))
        while (moment := self._moment(times.get_prev(datetime))) > now:
            continue
        return moment

    def next(self, now: float) -> float:
        """The first of its times after `now`; both are Unix seconds."""
        times = self._times(self._local(now))
        while (moment := self._moment(times.get_next(datetime))) <= now:
            continue
        return moment

    def _times(self, start: datetime) -> croniter:
        try:
            from croniter import croniter
        except ImportError as error:
            raise MissingExtraError("retrain.schedule", "croniter", "loop") from error
        return croniter(self.expression, start)

    def _local(self, moment: float) -> datetime:
        """Wall-clock time, without its zone: in whole seconds, as croniter counts."""
        zone = None if self.timezone is None else ZoneInfo(self.timezone)
        return datetime.fromtimestamp(int(moment), zone).replace(tzinfo=None, fold=0)

    def _moment(self, local: datetime) -> float:
        # Without a zone `timestamp` takes that of the machine.
        zone = None if self.timezone is None else ZoneInfo(self.timezone)
        return local.replace(tzinfo=zone, fold=0).timestamp()


def due(database: Database, schedule: Schedule, now: float) -> float | None:
    """The time of the schedule that has come last, in Unix seconds; None where none has come since it was first seen.

    Since when the schedule is known lies in the database, so that a time that comes while the loop is down is seen, and
    none before somebody wrote the schedule down.
    """
    with database.write() as connection:
        mine = schedules.c.model == database.model
        values = {"expression": schedule.expression, "timezone": schedule.timezone or ""}
        known = connection.execute(sa.select(schedules).where(mine)).first()
        if known is None:
            connection.execute(sa.insert(schedules).values(model=database.model, since=now, **values))
            return None
        if (known.expression, known.timezone) != (values["expression"], values["timezone"]):
            connection.execute(sa.update(schedules).where(mine).values(since=now, **values))
            return None
    last = schedule.latest(now)
    return last if last > known.since else None


def iso(moment: float) -> str:
    """Unix seconds as a text that sorts by time."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"

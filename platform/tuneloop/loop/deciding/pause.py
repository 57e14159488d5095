"""The pause: a durable flag. While it is set no run starts; one that is at work goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from tuneloop.loop.records import Database
from tuneloop.loop.schema import pauses


@dataclass(frozen=True, slots=True)
class Pause:
    """Since which Unix second nothing starts, who said so, and why; `why` may be empty."""

    since: float
    who: str
    why: str

    @property
    def sentence(self) -> str:
        """For people: whose pause it is and how it ends."""
        moment = f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
        reason = f" ({self.why})" if self.why else ""
        return f"Paused since {moment} by {self.who}{reason}; `tuneloop loop resume` ends it."


def paused(database: Database) -> Pause | None:
    """The pause that holds now; None: runs may start."""
    with database.read() as connection:
        return read_pause(connection, database.model)


def read_pause(connection: sa.Connection, model: str) -> Pause | None:
    """As `paused`, inside a transaction."""
    found = connection.execute(sa.select(pauses).where(*_open(model))).first()
    return None if found is None else Pause(found.since, found.who, found.why)


def pause(database: Database, who: str, why: str = "") -> Pause:
    """Start no run from now on; a pause that holds already stays as it is."""
    with database.write() as connection:
        found = read_pause(connection, database.model)
        if found is not None:
            return found
        made = Pause(time.time(), who, why)
        connection.execute(sa.insert(pauses).values(model=database.model, since=made.since, who=made.who, why=made.why))
    return made


def resume(database: Database, who: str) -> Pause | None:
    """Let runs start again; gives the pause that ends, None where none held. Suppressed alerts are decided anew."""
    with database.write() as connection:
        found = read_pause(connection, database.model)
        ended = sa.update(pauses).where(*_open(database.model))
        connection.execute(ended.values(until=time.time(), resumed_by=who))
    return found


def _open(model: str) -> tuple[sa.ColumnElement[Any], ...]:
    return pauses.c.model == model, pauses.c.until.is_(None)

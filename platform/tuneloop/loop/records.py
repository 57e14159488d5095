"""The tables of the loop: every alert with its decision, every run with its outcome. SQLAlchemy Core.

SQLite in `.tuneloop/loop.db`, or PostgreSQL by URL. That two runs never go on at once does not rest on this code being
right: an index of the database refuses the second.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa

from tuneloop.api import ServingError, TuneloopError
from tuneloop.loop.deciding.policy import Outcome, Reason
from tuneloop.loop.schema import schema
from tuneloop.monitoring.postgres import check_database, in_words, postgres_options, without_password
from tuneloop.monitoring.sqlite_engine import prepare_sqlite

RunOutcome = Literal["running", "promoted", "refused", "declined", "failed", "rolled-back"]
ENDED: tuple[str, ...] = tuple(name for name in get_args(RunOutcome) if name != "running")

_FILE = "loop.db"

alerts = sa.Table(
    "tuneloop_loop_alerts",
    schema,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("alert", sa.String(200), nullable=False),
    sa.Column("of_model", sa.String(200), nullable=False),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("signal", sa.String(200), nullable=False),
    sa.Column("fingerprint", sa.String(100), nullable=False),
    sa.Column("started", sa.String(60), nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("firing", sa.Boolean, nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("run", sa.String(100)),
    sa.Column("first_received", sa.Double, nullable=False),
    sa.Column("received", sa.Double, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("decided", sa.Double, nullable=False),
    sa.Index("tuneloop_loop_alerts_by_time", "model", "decided"),
)
runs = sa.Table(
    "tuneloop_loop_runs",
    schema,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("run", sa.String(100), primary_key=True),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("snapshot", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("version", sa.String(100)),
)
sa.Index(
    "tuneloop_loop_one_run_at_a_time",
    runs.c.model,
    unique=True,
    sqlite_where=runs.c.ended.is_(None),
    postgresql_where=runs.c.ended.is_(None),
)


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """An alert and what was decided. Times are Unix seconds, but `started`: Alertmanager's `startsAt`, or a time."""

    key: str
    alert: str
    of_model: str
    version: str
    signal: str
    fingerprint: str
    started: str
    summary: str
    firing: bool
    outcome: Outcome
    reason: Reason
    sentence: str
    run: str | None
    first_received: float
    received: float
    times: int
    decided: float


@dataclass(frozen=True, slots=True)
class LoopRun:
    """A run the loop started. `snapshot` is when its labelled rows were frozen; times are Unix seconds."""

    run: str
    key: str
    why: str
    started: float
    snapshot: float | None
    ended: float | None
    outcome: RunOutcome
    reason: str
    version: str | None


class Database:
    """The opened tables of the loop of one model. Thread safe.

    Args:
        url: A SQLAlchemy URL of SQLite or PostgreSQL.
        model: The project's name: loops of several projects may share a PostgreSQL.

    Raises:
        TuneloopError: The database cannot be opened.
    """

    def __init__(self, url: str, model: str) -> None:
        self.model = model
        try:
            self._engine = sa.create_engine(url, **postgres_options(url))
            if self._engine.dialect.name == "sqlite":
                # Full sync: an alert that was answered is on disk.
                prepare_sqlite(self._engine, synchronous="FULL", always_writes=True)
            check_database(url)
            with self._engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    # Not that of one model: the loops of others make the same tables.
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(7086513)"))
                schema.create_all(connection)
        except (sa.exc.SQLAlchemyError, ServingError, ImportError) as error:
            said = f"the loop's records {without_password(url)} cannot be opened: {in_words(error)}"
            raise TuneloopError(said) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that nobody else of this model interleaves with; it is on disk when this returns."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                lock = sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))")
                connection.execute(lock, {"name": f"tuneloop-loop-{self.model}"})
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection to read with."""
        with self._engine.connect() as connection:
            yield connection


def as_alert(record: sa.Row[Any]) -> AlertRecord:
    """The record of a row of `alerts`."""
    values = dict(record._mapping)
    values.pop("model")
    return AlertRecord(**{**values, "reason": Reason(values["reason"])})


def as_run(record: sa.Row[Any]) -> LoopRun:
    """The record of a row of `runs`."""
    values = dict(record._mapping)
    values.pop("model")
    return LoopRun(**values)


def database_url(state: Path) -> str:
    """Where the loop of a project keeps its records: `TUNELOOP_DATABASE_URL`, or a SQLite file in its state."""
    found = os.environ.get("TUNELOOP_DATABASE_URL")
    if found:
        return found
    state.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{state / _FILE}"


def recorded(state: Path) -> bool:
    """Whether there may be records to read; looking for them must not make a database."""
    return "TUNELOOP_DATABASE_URL" in os.environ or (state / _FILE).exists()

"""How an SQLAlchemy engine on SQLite is prepared for several processes that read and write at the same time."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Literal

import sqlalchemy as sa

WRITE = "tuneloop_write"
"""The execution option of a connection or engine whose transactions write."""


def prepare_sqlite(engine: sa.Engine, *, synchronous: Literal["NORMAL", "FULL"], always_writes: bool = False) -> None:
    """WAL, so that readers and the writer do not wait for each other; writers queue instead of failing.

    The driver's own transactions are off: it would begin them as readers and fail when they start to write.

    Args:
        engine: No connection of it is open yet.
        synchronous: `FULL`: what is committed survives a power cut. `NORMAL`: the last commits may not.
        always_writes: Every transaction begins as a writer; otherwise those with the execution option `WRITE`.
    """

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        _enter_wal(connection)

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        writes = always_writes or connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _enter_wal(connection: sqlite3.Connection, patience: float = 30.0) -> None:
    """The change to WAL does not wait for others who change it at the same moment, whatever `busy_timeout` says."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)

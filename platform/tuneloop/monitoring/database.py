"""The database of the prediction store: reached, made ready once, and opened to read or to write."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tuneloop.api import ServingError
from tuneloop.monitoring.postgres import check_version, in_words, may_pass, postgres_options, without_password
from tuneloop.monitoring.sqlite_engine import WRITE, prepare_sqlite
from tuneloop.monitoring.tables import schema

logger = logging.getLogger(__name__)


class Database:
    """SQLite or PostgreSQL, with the tables of the store.

    Args:
        url: A SQLAlchemy URL.
        patient: Whether a database that cannot be reached now, and may be later, is waited for: each use tries anew.

    Raises:
        ServingError: It cannot be opened.
    """

    def __init__(self, url: str, *, patient: bool) -> None:
        self._ready, self._preparing = False, threading.Lock()
        with _explained(url) as opened:
            self._engine = sa.create_engine(url, **postgres_options(url))
            opened.callback(self._engine.dispose)
            self.is_sqlite = self._engine.dialect.name == "sqlite"
            self.upsert = sqlite.insert if self.is_sqlite else postgresql.insert
            if self.is_sqlite:
                prepare_sqlite(self._engine, synchronous="NORMAL")
            elif self._engine.dialect.name != "postgresql":
                raise ValueError(f"{self._engine.dialect.name} is neither sqlite nor postgresql")
            try:
                self._prepare()
            except sa.exc.DBAPIError as error:
                if not patient or self.is_sqlite or not may_pass(error):
                    raise
                logger.warning(
                    "the prediction store %s is not there yet, and is waited for: %s",
                    without_password(url),
                    in_words(error),
                )
            opened.pop_all()

    @property
    def ready(self) -> bool:
        """Whether it was reached and has the tables."""
        return self._ready

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def read(self) -> sa.Connection:
        """A connection to read with."""
        self._prepare()
        return self._engine.connect()

    def write(self) -> Any:
        """A connection inside a transaction that may write, as a context manager."""
        self._prepare()
        return self._engine.execution_options(**{WRITE: True}).begin()

    def _prepare(self) -> None:
        """Look at the database and make the tables, once."""
        if self._ready:
            return
        with self._preparing:
            if self._ready:
                return
            with self._engine.execution_options(**{WRITE: True}).begin() as connection:
                check_version(self._engine.dialect.server_version_info if not self.is_sqlite else None)
                _create(connection)
            self._ready = True


@contextmanager
def _explained(url: str) -> Iterator[ExitStack]:
    """Says why a store cannot be opened; what was opened by then is closed, unless it is taken off the stack."""
    try:
        with ExitStack() as opened:
            yield opened
    except (sa.exc.SQLAlchemyError, ValueError, ImportError, ServingError) as error:
        said = f"the prediction store {without_password(url)!r} cannot be opened: {in_words(error)}"
        raise ServingError(f"{said}. Check its URL.") from error


def _create(connection: sa.Connection) -> None:
    """Create the tables. Workers start together: on PostgreSQL a lock makes the others wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7086511)"))
    schema.create_all(connection)

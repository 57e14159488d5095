"""The prediction store: what was asked, what was answered, and the labels that came later. SQLAlchemy Core.

SQLite in WAL mode for one machine, PostgreSQL by URL for many. Rows, answers and labels are JSON texts. A label may
come before its prediction: it waits in its table. `claim` hands out each joined pair exactly once, however many
workers write at the same time, so that counting them is exact.
"""

from __future__ import annotations

import functools
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tuneloop.api import ServingError
from tuneloop.monitoring.label_changes import LabelChange, LabelState, write_labels
from tuneloop.monitoring.postgres import check_version, in_words, may_pass, postgres_options, without_password
from tuneloop.monitoring.sqlite_engine import WRITE, prepare_sqlite
from tuneloop.monitoring.stored import Counts, Labelled, Prediction, Shadow, as_prediction, as_record, as_text
from tuneloop.monitoring.tables import labels as labels_table
from tuneloop.monitoring.tables import predictions as predictions_table
from tuneloop.monitoring.tables import schema
from tuneloop.monitoring.tables import shadows as shadows_table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CHUNK", "Counts", "Labelled", "Prediction", "PredictionStore", "Shadow"]

_T = TypeVar("_T")

logger = logging.getLogger(__name__)

CHUNK = 500
"""Rows a statement: with seven columns each, below SQLite's limit of 32,766 variables."""

_COLUMNS = tuple(column.name for column in predictions_table.c)

_PART_SIZES = (CHUNK, 100, 20, 4, 1)


class PredictionStore:
    """Predictions and labels of any number of models and workers. Thread safe.

    Args:
        url: A SQLAlchemy URL, such as `sqlite:////var/lib/desk/predictions.db`.
        clock: Unix seconds.
        patient: Whether a database that cannot be reached now, and may be later, is waited for: each use tries anew.

    Raises:
        ServingError: The database cannot be opened.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time, patient: bool = False) -> None:
        self._clock, self._shown = clock, without_password(url)
        self._ready, self._preparing = False, threading.Lock()
        with _explained(url) as opened:
            self._engine = sa.create_engine(url, **postgres_options(url))
            opened.callback(self._engine.dispose)
            self._sqlite = self._engine.dialect.name == "sqlite"
            self._upsert = sqlite.insert if self._sqlite else postgresql.insert
            if self._sqlite:
                prepare_sqlite(self._engine, synchronous="NORMAL")
            elif self._engine.dialect.name != "postgresql":
                raise ValueError(f"{self._engine.dialect.name} is neither sqlite nor postgresql")
            try:
                self._prepare()
            except sa.exc.DBAPIError as error:
                if not patient or self._sqlite or not may_pass(error):
                    raise
                logger.warning(
                    "the prediction store %s is not there yet, and is waited for: %s", self._shown, in_words(error)
                )
            opened.pop_all()

    @property
    def ready(self) -> bool:
        """Whether its database was reached and has the tables."""
        return self._ready

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Store answered rows; one whose id is known already is left as it is."""
        with self._write() as connection:
            if self._sqlite:
                # Many rows a statement: a call for each row would hand Python's lock to and fro each time.
                for part in _parts(predictions):
                    values = tuple(itertools.chain.from_iterable(map(as_record, part)))
                    connection.exec_driver_sql(_insert_sql(len(part)), values)
                return
            statement = self._upsert(predictions_table).on_conflict_do_nothing()
            for chunk in _chunks(predictions):
                connection.execute(statement, [dict(zip(_COLUMNS, as_record(one), strict=True)) for one in chunk])

    def predictions(self, ids: Iterable[str]) -> dict[str, Prediction]:
        """The stored predictions of these ids."""
        found: dict[str, Prediction] = {}
        with self._read() as connection:
            for chunk in _chunks(list(dict.fromkeys(ids))):
                for record in connection.execute(sa.select(predictions_table).where(predictions_table.c.id.in_(chunk))):
                    found[record.id] = as_prediction(record)
        return found

    def add_labels(self, items: Sequence[tuple[str, Any]]) -> list[LabelState]:
        """Store labels by prediction id; the last one wins. All or none.

        Args:
            items: Prediction ids, known or not, and JSON values; an id may occur more than once.

        Returns:
            For each item, whether it is the first label of that id, another one, or the one already there.
        """
        return [change.state for change in self.change_labels(items)]

    def change_labels(self, items: Sequence[tuple[str, Any]]) -> list[LabelChange]:
        """As `add_labels`, and says of each label what it replaced."""
        now = self._clock()
        changes: list[LabelChange] = []
        with self._write() as connection:
            for chunk in _unique_chunks(items):
                texts = {id_: as_text(label) for id_, label in chunk}
                changes += write_labels(connection, self._upsert, texts, now)
        return changes

    def claim(self, model: str, ids: Sequence[str] | None = None) -> list[Labelled]:
        """Pairs of prediction and label that nobody claimed before; each is handed out once, to one caller.

        Call it after `add_predictions` and after `add_labels`, whichever came second finds the pair.

        Args:
            model: Whose predictions.
            ids: Only these predictions; None: all.
        """
        known = sa.select(predictions_table.c.id).where(
            predictions_table.c.id == labels_table.c.prediction_id, predictions_table.c.model == model
        )
        pairs: list[Labelled] = []
        if not self._any_waiting():
            return pairs
        with self._write() as connection:
            for chunk in [None] if ids is None else _chunks(list(dict.fromkeys(ids))):
                waiting = sa.update(labels_table).where(~labels_table.c.joined, known.exists())
                if chunk is not None:
                    waiting = waiting.where(labels_table.c.prediction_id.in_(chunk))
                claimed = connection.scalars(waiting.values(joined=True).returning(labels_table.c.prediction_id)).all()
                for part in _chunks(claimed):
                    pairs += _pairs(connection, _joined().where(predictions_table.c.id.in_(part)))
        return pairs

    def connect(self, *, write: bool = False) -> Any:
        """A connection as a context manager: to read with, or inside a transaction that may write."""
        return self._write() if write else self._read()

    def upsert(self, table: sa.Table) -> Any:
        """An INSERT into a table of this store, in the words of its database."""
        return self._upsert(table)

    def labelled(self, connection: sa.Connection, ids: Sequence[str]) -> Iterator[Labelled]:
        """The pairs of these predictions, at most `CHUNK` of them."""
        return _pairs(connection, _joined().where(predictions_table.c.id.in_(ids)))

    def labelled_rows(self, model: str, since: float | None = None, limit: int | None = None) -> list[Labelled]:
        """Predictions of a model with their last label, oldest first.

        Args:
            model: Whose.
            since: Only predictions made at or after this Unix second.
            limit: Only this many, the newest.
        """
        newest = (predictions_table.c.time.desc(), predictions_table.c.id.desc())
        query = _joined().where(predictions_table.c.model == model).order_by(*newest).limit(limit)
        if since is not None:
            query = query.where(predictions_table.c.time >= since)
        with self._read() as connection:
            return list(_pairs(connection, query))[::-1]

    def counts(self, model: str, since: float | None = None) -> Counts:
        """How many rows there are of a model, made at or after `since`."""
        pairs = sa.outerjoin(predictions_table, labels_table, predictions_table.c.id == labels_table.c.prediction_id)
        query = (
            sa.select(
                sa.func.count(),
                sa.func.count(labels_table.c.label),
                sa.func.coalesce(sa.func.sum(labels_table.c.corrections), 0),
            )
            .select_from(pairs)
            .where(predictions_table.c.model == model)
        )
        if since is not None:
            query = query.where(predictions_table.c.time >= since)
        orphan = ~sa.exists().where(predictions_table.c.id == labels_table.c.prediction_id)
        with self._read() as connection:
            predictions, labelled, corrections = connection.execute(query).one()
            waiting = connection.scalar(sa.select(sa.func.count()).select_from(labels_table).where(orphan))
        return Counts(int(predictions), int(labelled), int(corrections), int(waiting or 0))

    def ids_of(self, subject: str) -> Sequence[str]:
        """The ids of the predictions of one subject."""
        query = sa.select(predictions_table.c.id).where(predictions_table.c.subject == subject)
        with self._read() as connection:
            return connection.scalars(query).all()

    def erase(self, *, subject: str | None = None, before: float | None = None) -> int:
        """Delete the predictions of one subject, or those made before a Unix second, with their labels.

        Returns:
            How many predictions were deleted.
        """
        if (subject is None) == (before is None):
            raise ValueError("name either a subject or a time")
        which = predictions_table.c.subject == subject if before is None else predictions_table.c.time < before
        chosen = sa.select(predictions_table.c.id).where(which)
        with self._write() as connection:
            connection.execute(sa.delete(labels_table).where(labels_table.c.prediction_id.in_(chosen)))
            mine = shadows_table.c.prediction_id.in_(chosen)
            old = mine if before is None else mine | (shadows_table.c.time < before)
            connection.execute(sa.delete(shadows_table).where(old))
            return int(connection.execute(sa.delete(predictions_table).where(which)).rowcount)

    def _any_waiting(self) -> bool:
        """Whether any label waits. One that comes after this look finds the predictions stored before it."""
        with self._read() as connection:
            return (
                connection.execute(sa.select(labels_table.c.joined).where(~labels_table.c.joined).limit(1)).first()
                is not None
            )

    def _read(self) -> sa.Connection:
        self._prepare()
        return self._engine.connect()

    def _write(self) -> Any:
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
                check_version(self._engine.dialect.server_version_info if not self._sqlite else None)
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


def _joined() -> sa.Select[Any]:
    return sa.select(predictions_table, labels_table.c.label, labels_table.c.time.label("labelled")).join(
        labels_table, labels_table.c.prediction_id == predictions_table.c.id
    )


def _pairs(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Labelled]:
    for record in connection.execute(query):
        yield Labelled(as_prediction(record), json.loads(record.label), record.labelled)


def _parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Chunks of few sizes: the driver keeps each statement it has seen, and a long one holds much memory."""
    start = 0
    for size in _PART_SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


@functools.cache
def _insert_sql(rows: int) -> str:
    marks = f"({', '.join('?' for _ in _COLUMNS)})"
    names = ", ".join(f'"{name}"' for name in _COLUMNS)
    values = ", ".join([marks] * rows)
    return f"INSERT INTO {predictions_table.name} ({names}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


def _chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def _unique_chunks(items: Sequence[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    """Chunks in order, none with one id twice: a statement cannot write one record two times."""
    chunk: dict[str, Any] = {}
    for id_, label in items:
        if id_ in chunk or len(chunk) == CHUNK:
            yield list(chunk.items())
            chunk = {}
        chunk[id_] = label
    if chunk:
        yield list(chunk.items())

"""The prediction store: what was asked, what was answered, and the labels that came later. SQLAlchemy Core.

SQLite in WAL mode for one machine, PostgreSQL by URL for many. Rows, answers and labels are JSON texts. A label may
come before its prediction: it waits in its table. `claim` hands out each joined pair exactly once, however many
workers write at the same time, so that counting them is exact.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tuneloop.monitoring.chunks import CHUNK, chunks, few_sizes
from tuneloop.monitoring.database import Database
from tuneloop.monitoring.label_changes import DeletedMeanwhileError, LabelChange, LabelState, write_labels
from tuneloop.monitoring.row_locks import delete_locked, delete_told, in_order
from tuneloop.monitoring.stored import Counts, Labelled, Prediction, Shadow, as_prediction, as_record, as_text
from tuneloop.monitoring.tables import labels as labels_table
from tuneloop.monitoring.tables import predictions as predictions_table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CHUNK", "Counts", "Labelled", "Prediction", "PredictionStore", "Shadow"]

_COLUMNS = tuple(column.name for column in predictions_table.c)


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
        self._clock, self._database = clock, Database(url, patient=patient)

    @property
    def ready(self) -> bool:
        """Whether its database was reached and has the tables."""
        return self._database.ready

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Store answered rows; one whose id is known already is left as it is."""
        with self._database.write() as connection:
            if self._database.is_sqlite:
                # Many rows a statement: a call for each row would hand Python's lock to and fro each time.
                for part in few_sizes(predictions):
                    values = tuple(itertools.chain.from_iterable(map(as_record, part)))
                    connection.exec_driver_sql(_insert_sql(len(part)), values)
                return
            statement = self._database.upsert(predictions_table).on_conflict_do_nothing()
            for chunk in chunks(sorted(predictions, key=attrgetter("id"))):
                connection.execute(statement, [dict(zip(_COLUMNS, as_record(one), strict=True)) for one in chunk])

    def predictions(self, ids: Iterable[str]) -> dict[str, Prediction]:
        """The stored predictions of these ids."""
        found: dict[str, Prediction] = {}
        with self._database.read() as connection:
            for chunk in chunks(list(dict.fromkeys(ids))):
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
        texts = [(id_, as_text(label)) for id_, label in items]
        now = self._clock()
        while True:
            with contextlib.suppress(DeletedMeanwhileError), self._database.write() as connection:
                return write_labels(connection, self._database.upsert, texts, now)

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
        with self._database.write() as connection:
            key, waits = labels_table.c.prediction_id, (~labels_table.c.joined, known.exists())
            for chunk in [None] if ids is None else chunks(sorted(set(ids))):
                asked = () if chunk is None else (key.in_(chunk),)
                claimed = connection.scalars(in_order(connection, key, *waits, *asked)).all()
                for part in chunks(claimed):
                    connection.execute(sa.update(labels_table).where(key.in_(part)).values(joined=True))
                    pairs += _pairs(connection, _joined().where(predictions_table.c.id.in_(part)))
        return pairs

    def connect(self, *, write: bool = False) -> Any:
        """A connection as a context manager: to read with, or inside a transaction that may write."""
        return self._database.write() if write else self._database.read()

    def upsert(self, table: sa.Table) -> Any:
        """An INSERT into a table of this store, in the words of its database."""
        return self._database.upsert(table)

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
        with self._database.read() as connection:
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
        with self._database.read() as connection:
            predictions, labelled, corrections = connection.execute(query).one()
            waiting = connection.scalar(sa.select(sa.func.count()).select_from(labels_table).where(orphan))
        return Counts(int(predictions), int(labelled), int(corrections), int(waiting or 0))

    def ids_of(self, subject: str) -> Sequence[str]:
        """The ids of the predictions of one subject."""
        query = sa.select(predictions_table.c.id).where(predictions_table.c.subject == subject)
        with self._database.read() as connection:
            return connection.scalars(query).all()

    def erase(self, subject: str) -> int:
        """Delete the predictions of one subject, with their labels and shadows. All or none.

        Returns:
            How many predictions were deleted.
        """
        mine = predictions_table.c.subject == subject
        return self.delete(lambda connection: in_order(connection, predictions_table.c.id, mine))

    def delete(self, chosen: Callable[[sa.Connection], sa.Select[Any]]) -> int:
        """Delete predictions with their labels and shadows. All or none.

        Args:
            chosen: Makes the query that locks the predictions and gives their ids.

        Returns:
            How many predictions were deleted.
        """
        with self.connect(write=True) as connection:
            ids = connection.scalars(chosen(connection)).all()
            delete_locked(connection, ids)
        if ids and not self._database.is_sqlite:
            # A label that came meanwhile may have been joined with a prediction that was still to be seen.
            with self.connect(write=True) as connection:
                delete_told(connection, ids)
        return len(ids)

    def _any_waiting(self) -> bool:
        """Whether any label waits. One that comes after this look finds the predictions stored before it."""
        with self._database.read() as connection:
            return (
                connection.execute(sa.select(labels_table.c.joined).where(~labels_table.c.joined).limit(1)).first()
                is not None
            )


def _joined() -> sa.Select[Any]:
    return sa.select(predictions_table, labels_table.c.label, labels_table.c.time.label("labelled")).join(
        labels_table, labels_table.c.prediction_id == predictions_table.c.id
    )


def _pairs(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Labelled]:
    for record in connection.execute(query):
        yield Labelled(as_prediction(record), json.loads(record.label), record.labelled)


@functools.cache
def _insert_sql(rows: int) -> str:
    marks = f"({', '.join('?' for _ in _COLUMNS)})"
    names = ", ".join(f'"{name}"' for name in _COLUMNS)
    values = ", ".join([marks] * rows)
    return f"INSERT INTO {predictions_table.name} ({names}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608

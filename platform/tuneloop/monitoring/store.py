"""The prediction store: what was asked, what was answered, and the labels that came later. SQLAlchemy Core.

SQLite in WAL mode for one machine, PostgreSQL by URL for many. Rows, answers and labels are JSON texts. A label may
come before its prediction: it waits in its table. `claim` hands out each joined pair exactly once, however many
workers write at the same time, so that counting them is exact.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tuneloop.api import Answer, Row, ServingError

if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")

CHUNK = 500
"""Rows a statement: below SQLite's limit of variables."""

_schema = sa.MetaData()
_predictions = sa.Table(
    "tuneloop_predictions",
    _schema,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("row", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("subject", sa.String(200), index=True),
    sa.Index("tuneloop_predictions_by_time", "model", "time"),
)
_labels = sa.Table(
    "tuneloop_labels",
    _schema,
    sa.Column("prediction_id", sa.String(100), primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("corrections", sa.Integer, nullable=False),
    sa.Column("joined", sa.Boolean, nullable=False),
)
sa.Index(
    "tuneloop_labels_waiting", _labels.c.joined, sqlite_where=~_labels.c.joined, postgresql_where=~_labels.c.joined
)

LabelState = Literal["new", "changed", "same"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answered row. `time` is in Unix seconds; `subject` names whose data it is, for erasure."""

    id: str
    model: str
    version: str
    time: float
    row: Row
    answer: Answer
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A prediction and its last label. `labelled` is when that label came, in Unix seconds."""

    prediction: Prediction
    label: Any
    labelled: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one model: predictions, those with a label, label changes; `waiting`: labels of no known prediction."""

    predictions: int
    labelled: int
    corrections: int
    waiting: int


class PredictionStore:
    """Predictions and labels of any number of models and workers. Thread safe.

    Args:
        url: A SQLAlchemy URL, such as `sqlite:////var/lib/desk/predictions.db`.
        clock: Unix seconds.

    Raises:
        ServingError: The database cannot be opened.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        try:
            self._engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
            self._sqlite = self._engine.dialect.name == "sqlite"
            self._upsert = sqlite.insert if self._sqlite else postgresql.insert
            if self._sqlite:
                _prepare_sqlite(self._engine)
            elif self._engine.dialect.name != "postgresql":
                raise ValueError(f"{self._engine.dialect.name} is neither sqlite nor postgresql")
            with self._write() as connection:
                _create(connection)
        except (sa.exc.SQLAlchemyError, ValueError, ImportError) as error:
            shown = _without_password(url)
            raise ServingError(f"the prediction store {shown!r} cannot be opened: {error}. Check its URL.") from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Store answered rows; one whose id is known already is left as it is."""
        with self._write() as connection:
            for chunk in _chunks(predictions):
                statement = self._upsert(_predictions).on_conflict_do_nothing()
                connection.execute(statement, [_record(prediction) for prediction in chunk])

    def predictions(self, ids: Iterable[str]) -> dict[str, Prediction]:
        """The stored predictions of these ids."""
        found: dict[str, Prediction] = {}
        with self._engine.connect() as connection:
            for chunk in _chunks(list(dict.fromkeys(ids))):
                for record in connection.execute(sa.select(_predictions).where(_predictions.c.id.in_(chunk))):
                    found[record.id] = _prediction(record)
        return found

    def add_labels(self, items: Sequence[tuple[str, Any]]) -> list[LabelState]:
        """Store labels by prediction id; the last one wins. All or none.

        Args:
            items: Prediction ids, known or not, and JSON values; an id may occur more than once.

        Returns:
            For each item, whether it is the first label of that id, another one, or the one already there.
        """
        now = self._clock()
        states: list[LabelState] = []
        with self._write() as connection:
            for chunk in _unique_chunks(items):
                values = [
                    {"prediction_id": id_, "label": _dump(label), "time": now, "corrections": 0, "joined": False}
                    for id_, label in chunk
                ]
                statement = self._upsert(_labels).values(values)
                new = statement.excluded
                done = statement.on_conflict_do_update(
                    index_elements=[_labels.c.prediction_id],
                    set_={"label": new.label, "time": new.time, "corrections": _labels.c.corrections + 1},
                    where=_labels.c.label != new.label,
                ).returning(_labels.c.prediction_id, _labels.c.corrections)
                touched = {row.prediction_id: row.corrections for row in connection.execute(done)}
                states += ["same" if id_ not in touched else "changed" if touched[id_] else "new" for id_, _ in chunk]
        return states

    def claim(self, model: str, ids: Sequence[str] | None = None) -> list[Labelled]:
        """Pairs of prediction and label that nobody claimed before; each is handed out once, to one caller.

        Call it after `add_predictions` and after `add_labels`, whichever came second finds the pair.

        Args:
            model: Whose predictions.
            ids: Only these predictions; None: all.
        """
        known = sa.select(_predictions.c.id).where(
            _predictions.c.id == _labels.c.prediction_id, _predictions.c.model == model
        )
        pairs: list[Labelled] = []
        with self._write() as connection:
            for chunk in [None] if ids is None else _chunks(list(dict.fromkeys(ids))):
                waiting = sa.update(_labels).where(~_labels.c.joined, known.exists())
                if chunk is not None:
                    waiting = waiting.where(_labels.c.prediction_id.in_(chunk))
                claimed = connection.scalars(waiting.values(joined=True).returning(_labels.c.prediction_id)).all()
                for part in _chunks(claimed):
                    pairs += _pairs(connection, _joined().where(_predictions.c.id.in_(part)))
        return pairs

    def labelled_rows(self, model: str, since: float | None = None, limit: int | None = None) -> list[Labelled]:
        """Predictions of a model with their last label, oldest first.

        Args:
            model: Whose.
            since: Only predictions made at or after this Unix second.
            limit: Only this many, the newest.
        """
        newest = (_predictions.c.time.desc(), _predictions.c.id.desc())
        query = _joined().where(_predictions.c.model == model).order_by(*newest).limit(limit)
        if since is not None:
            query = query.where(_predictions.c.time >= since)
        with self._engine.connect() as connection:
            return list(_pairs(connection, query))[::-1]

    def counts(self, model: str, since: float | None = None) -> Counts:
        """How many rows there are of a model, made at or after `since`."""
        pairs = sa.outerjoin(_predictions, _labels, _predictions.c.id == _labels.c.prediction_id)
        query = (
            sa.select(
                sa.func.count(), sa.func.count(_labels.c.label), sa.func.coalesce(sa.func.sum(_labels.c.corrections), 0)
            )
            .select_from(pairs)
            .where(_predictions.c.model == model)
        )
        if since is not None:
            query = query.where(_predictions.c.time >= since)
        orphan = ~sa.exists().where(_predictions.c.id == _labels.c.prediction_id)
        with self._engine.connect() as connection:
            predictions, labelled, corrections = connection.execute(query).one()
            waiting = connection.scalar(sa.select(sa.func.count()).select_from(_labels).where(orphan))
        return Counts(int(predictions), int(labelled), int(corrections), int(waiting or 0))

    def erase(self, *, subject: str | None = None, before: float | None = None) -> int:
        """Delete the predictions of one subject, or those made before a Unix second, with their labels.

        Returns:
            How many predictions were deleted.
        """
        if (subject is None) == (before is None):
            raise ValueError("name either a subject or a time")
        which = _predictions.c.subject == subject if before is None else _predictions.c.time < before
        chosen = sa.select(_predictions.c.id).where(which)
        with self._write() as connection:
            connection.execute(sa.delete(_labels).where(_labels.c.prediction_id.in_(chosen)))
            return int(connection.execute(sa.delete(_predictions).where(which)).rowcount)

    def _write(self) -> Any:
        return self._engine.execution_options(tuneloop_write=True).begin()


def _prepare_sqlite(engine: sa.Engine) -> None:
    """WAL, so that readers and the writer do not wait for each other; writers queue instead of failing.

    The driver's own transactions are off: it would begin them as readers and fail when they start to write.
    """

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA synchronous=NORMAL")
        _enter_wal(connection)

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("tuneloop_write", False)
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


def _create(connection: sa.Connection) -> None:
    """Create the tables. Workers start together: on PostgreSQL a lock makes the others wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7086511)"))
    _schema.create_all(connection)


def _joined() -> sa.Select[Any]:
    return sa.select(_predictions, _labels.c.label, _labels.c.time.label("labelled")).join(
        _labels, _labels.c.prediction_id == _predictions.c.id
    )


def _pairs(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Labelled]:
    for record in connection.execute(query):
        yield Labelled(_prediction(record), json.loads(record.label), record.labelled)


def _record(prediction: Prediction) -> dict[str, Any]:
    return {
        "id": prediction.id,
        "model": prediction.model,
        "version": prediction.version,
        "time": prediction.time,
        "row": _dump(prediction.row),
        "answer": _dump(prediction.answer),
        "subject": prediction.subject,
    }


def _prediction(record: Any) -> Prediction:
    row, answer = json.loads(record.row), json.loads(record.answer)
    return Prediction(record.id, record.model, record.version, record.time, row, answer, record.subject)


def _dump(value: Any) -> str:
    """JSON in ASCII, sorted: equal values give equal texts, and no database trips over a character."""
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_finite(value), sort_keys=True, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


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


def _without_password(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return url.partition(":")[0] + ":..."

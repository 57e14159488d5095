"""The journal: every labelled answer once, with its error, in the order in which detectors read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tuneloop.api import Answer, Change
from tuneloop.loop.outcomes.tables import changes, create_tables, outcomes
from tuneloop.monitoring.store import CHUNK, PredictionStore
from tuneloop.monitoring.tables import labels, predictions

PAGE = 5000
"""Labels looked at in one go."""
RECENT = 1000
"""A version with one of the last so many outcomes may have lost what it said to a crash."""

Place = tuple[float, str]
"""Where a label stands among all: when it came, in Unix seconds, and its prediction's id."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A label, new or corrected, with the answer it belongs to. `known` is its place in the journal, if it has one."""

    id: str
    version: str
    answer: Answer
    label: Any
    corrections: int
    place: Place
    known: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One entry: `error` from 0 to 1, or None where the label did not fit the answer."""

    seq: int
    version: str
    error: float | None


@dataclass(frozen=True, slots=True)
class Said:
    """A detector's word: at the outcome `seq` it saw a change. `time` is in Unix seconds."""

    version: str
    detector: str
    seq: int
    direction: Change
    time: float


class Journal:
    """The outcomes of one model, in the database of its prediction store.

    Args:
        store: Where predictions and labels are.
        model: Whose.
    """

    def __init__(self, store: PredictionStore, model: str) -> None:
        self._store, self._model = store, model
        with store.connect(write=True) as connection:
            create_tables(connection)

    def arrivals(self, after: Place | None = None, limit: int = PAGE) -> list[Arrival]:
        """Labels that are not in the journal as they are now, in the order in which they came.

        Args:
            after: Only those behind this place; None: all.
            limit: At most so many.
        """
        query = (
            sa.select(
                labels.c.prediction_id,
                labels.c.label,
                labels.c.time,
                labels.c.corrections,
                predictions.c.version,
                predictions.c.answer,
                outcomes.c.seq,
            )
            .join(predictions, predictions.c.id == labels.c.prediction_id)
            .outerjoin(outcomes, outcomes.c.prediction_id == labels.c.prediction_id)
            # Not the bare column: its index would lead through all predictions, and not through the newest labels.
            .where(predictions.c.model.op("||")("") == self._model)
            .where(outcomes.c.seq.is_(None) | (outcomes.c.corrections != labels.c.corrections))
            .order_by(labels.c.time, labels.c.prediction_id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(sa.tuple_(labels.c.time, labels.c.prediction_id) > sa.tuple_(*map(sa.literal, after)))
        with self._store.connect() as connection:
            return [
                Arrival(
                    row.prediction_id,
                    row.version,
                    json.loads(row.answer),
                    json.loads(row.label),
                    row.corrections,
                    (row.time, row.prediction_id),
                    row.seq,
                )
                for row in connection.execute(query)
            ]

    def enter(self, judged: Sequence[tuple[Arrival, float | None]]) -> tuple[list[Outcome], set[str]]:
        """Write arrivals with their errors into the journal: all, or none.

        Returns:
            The new entries in order, and the versions in which an earlier one was corrected.
        """
        new = [(arrival, error) for arrival, error in judged if arrival.known is None]
        corrected = [(arrival, error) for arrival, error in judged if arrival.known is not None]
        entered: list[Outcome] = []
        with self._store.connect(write=True) as connection:
            if new:
                insert = self._store.upsert(outcomes).on_conflict_do_nothing()
                found = insert.returning(outcomes.c.seq, outcomes.c.version, outcomes.c.error)
                rows = connection.execute(found, self._numbered(connection, [self._record(*pair) for pair in new]))
                entered = [Outcome(row.seq, row.version, row.error) for row in rows]
            if corrected:
                change = sa.update(outcomes).where(outcomes.c.seq == sa.bindparam("at"))
                connection.execute(
                    change.values(error=sa.bindparam("new_error"), corrections=sa.bindparam("times")),
                    [{"at": one.known, "new_error": error, "times": one.corrections} for one, error in corrected],
                )
        return sorted(entered, key=lambda one: one.seq), {one.version for one, _ in corrected}

    def outcomes(self, version: str, after: int, limit: int) -> list[Outcome]:
        """The newest entries of a version behind `after`, oldest first."""
        of_version = (outcomes.c.model == self._model, outcomes.c.version == version, outcomes.c.seq > after)
        query = sa.select(outcomes.c.seq, outcomes.c.error).where(*of_version)
        with self._store.connect() as connection:
            rows = connection.execute(query.order_by(outcomes.c.seq.desc()).limit(limit)).all()
        return [Outcome(row.seq, version, row.error) for row in reversed(rows)]

    def recent_versions(self) -> list[str]:
        """The versions among the last entries, the newest last."""
        newest = sa.select(outcomes.c.seq, outcomes.c.version).where(outcomes.c.model == self._model)
        last = newest.order_by(outcomes.c.seq.desc()).limit(RECENT).subquery()
        query = sa.select(last.c.version).group_by(last.c.version).order_by(sa.func.max(last.c.seq))
        with self._store.connect() as connection:
            return [str(version) for version in connection.scalars(query)]

    def say(self, said: Said) -> None:
        """Record a detector's word; said again of the same outcome, it stays as it is."""
        values = {"model": self._model, **{name: getattr(said, name) for name in Said.__slots__}}
        with self._store.connect(write=True) as connection:
            connection.execute(self._store.upsert(changes).values(values).on_conflict_do_nothing())

    def said(self, since: float = 0.0) -> list[Said]:
        """What detectors said at or after a Unix second, in order of the outcomes."""
        query = sa.select(changes).where(changes.c.model == self._model, changes.c.time >= since)
        with self._store.connect() as connection:
            rows = connection.execute(query.order_by(changes.c.seq)).all()
        return [Said(row.version, row.detector, row.seq, row.direction, row.time) for row in rows]

    def forget_erased(self, resting: Callable[[], bool] = lambda: False) -> int:
        """Delete the entries whose prediction was erased; gives their number. `resting` ends it early."""
        gone = 0
        for chunk in self._erased():
            if resting():
                break
            with self._store.connect(write=True) as connection:
                gone += connection.execute(sa.delete(outcomes).where(outcomes.c.seq.in_(chunk))).rowcount
        return gone

    def _erased(self) -> Iterator[list[int]]:
        """Chunks of entries without a prediction; found by reading, which keeps no writer waiting."""
        there = sa.exists().where(predictions.c.id == outcomes.c.prediction_id)
        query = sa.select(outcomes.c.seq).where(outcomes.c.model == self._model, ~there).order_by(outcomes.c.seq)
        last = 0
        while True:
            with self._store.connect() as connection:
                found = list(connection.scalars(query.where(outcomes.c.seq > last).limit(CHUNK)))
            if not found:
                return
            last = found[-1]
            yield found

    def _numbered(self, connection: sa.Connection, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """New entries with their `seq`, which detectors must not have read behind already.

        SQLite would give the numbers of the newest entries anew once these are forgotten. A sequence of PostgreSQL
        never goes back.
        """
        if connection.dialect.name != "sqlite":
            return records
        newest = connection.scalar(sa.select(sa.func.max(outcomes.c.seq))) or 0
        said = connection.scalar(sa.select(sa.func.max(changes.c.seq)).where(changes.c.model == self._model)) or 0
        return [{"seq": number, **record} for number, record in enumerate(records, max(newest, said) + 1)]

    def _record(self, arrival: Arrival, error: float | None) -> dict[str, Any]:
        return {
            "prediction_id": arrival.id,
            "model": self._model,
            "version": arrival.version,
            "error": error,
            "corrections": arrival.corrections,
        }

"""The part of the prediction store for shadows: what a challenger answered, unseen, to rows that a champion answered.

A label names the champion's prediction. The shadow's answer is stored under the same id, so the label scores both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from tuneloop.monitoring.chunks import chunks
from tuneloop.monitoring.row_locks import in_order
from tuneloop.monitoring.store import Labelled, PredictionStore, Shadow
from tuneloop.monitoring.tables import labels, predictions, shadows


@dataclass(frozen=True, slots=True)
class Compared:
    """Two answers to one row, the champion's in `pair`, and the label that says who was right."""

    pair: Labelled
    shadow: Shadow


class ShadowStore:
    """Shadow answers of any number of models and workers, in the database of a prediction store. Thread safe."""

    def __init__(self, store: PredictionStore) -> None:
        self._store = store

    def add_predictions(self, predictions: Sequence[Shadow]) -> None:
        """Store what a challenger answered; a second answer to the same prediction is left out."""
        with self._store.connect(write=True) as connection:
            for chunk in chunks(sorted(predictions, key=attrgetter("id"))):
                statement = self._store.upsert(shadows).on_conflict_do_nothing()
                connection.execute(statement, [_record(shadow) for shadow in chunk])

    def claim(self, model: str, ids: Sequence[str] | None = None) -> list[Compared]:
        """Shadow answers whose prediction and label are known, and that nobody claimed; each is handed out once.

        Call it after `add_predictions`, after the champion's predictions were stored, and after labels were: whichever
        comes last finds them.

        Args:
            model: Whose predictions.
            ids: Only these predictions; None: all.
        """
        waits = ~shadows.c.joined
        predicted = sa.exists().where(predictions.c.id == shadows.c.prediction_id, predictions.c.model == model)
        labelled = sa.exists().where(labels.c.prediction_id == shadows.c.prediction_id)
        with self._store.connect() as connection:
            # Mostly there is no challenger: looking takes no lock.
            if connection.execute(sa.select(shadows.c.joined).where(waits).limit(1)).first() is None:
                return []
        found: list[Compared] = []
        with self._store.connect(write=True) as connection:
            key = shadows.c.prediction_id
            for chunk in [None] if ids is None else chunks(sorted(set(ids))):
                asked = () if chunk is None else (key.in_(chunk),)
                locked = connection.scalars(in_order(connection, key, waits, predicted, labelled, *asked)).all()
                for part in chunks(locked):
                    claim = sa.update(shadows).where(key.in_(part)).values(joined=True).returning(*shadows.c)
                    claimed = {record.prediction_id: _shadow(record) for record in connection.execute(claim)}
                    pairs = self._store.labelled(connection, part)
                    found += [Compared(pair, claimed[pair.prediction.id]) for pair in pairs]
        return found


def _record(shadow: Shadow) -> dict[str, Any]:
    return {
        "prediction_id": shadow.id,
        "version": shadow.version,
        "time": shadow.time,
        "answer": json.dumps(shadow.answer, sort_keys=True, allow_nan=False, default=str),
        "joined": False,
    }


def _shadow(record: Any) -> Shadow:
    return Shadow(record.prediction_id, record.version, record.time, json.loads(record.answer))

"""The labelled rows that a run learns from, frozen as JSON lines of `key`, `row` and `label`; and erased from there.

Neither holds them all in memory, and they may come at the same moment: an erasure that looks for frozen rows while they
are being written sees no file yet. So who freezes asks afterwards which of the rows are still there, and who erases
looks for frozen rows again when the store has them no more; whichever comes last finds what the other one missed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa

from tuneloop.artifact import replacing
from tuneloop.monitoring.chunks import chunks
from tuneloop.monitoring.store import Labelled, PredictionStore
from tuneloop.monitoring.store_policy import hidden
from tuneloop.monitoring.tables import labels, predictions

MOST_ROWS = 200_000
"""Rows of a snapshot; of more, the newest."""


def freeze(store: PredictionStore, model: str, path: Path) -> int:
    """Write the labelled rows of a model whose inputs were kept whole, oldest first; gives their number.

    Raises:
        SQLAlchemyError: The store cannot be reached.
        OSError: The file cannot be written.
    """
    written: list[str] = []
    with replacing(path) as stream:
        for pair in _learnable(store, model):
            stream.write(_line(pair))
            written.append(pair.prediction.id)
    return len(written) - drop_rows(path, _gone(store, written))


def drop_rows(path: Path, ids: Collection[str]) -> int:
    """Rewrite frozen rows without those with these keys; gives how many went. No file: none did.

    Raises:
        OSError: The file cannot be read or written.
    """
    if not ids or not path.exists():
        return 0
    with path.open("rb") as stream:
        gone = {number for number, line in enumerate(stream) if json.loads(line)["key"] in ids}
        if gone:
            # The same file, also where another one has taken its place by now.
            stream.seek(0)
            with replacing(path) as kept:
                kept.writelines(line for number, line in enumerate(stream) if number not in gone)
    return len(gone)


def _learnable(store: PredictionStore, model: str) -> Iterator[Labelled]:
    newest = (predictions.c.time.desc(), predictions.c.id.desc())
    labelled = sa.select(predictions.c.id).join(labels, labels.c.prediction_id == predictions.c.id)
    with store.connect() as connection:
        query = labelled.where(predictions.c.model == model).order_by(*newest).limit(MOST_ROWS)
        for chunk in chunks(connection.scalars(query).all()[::-1]):
            found = {pair.prediction.id: pair for pair in store.labelled(connection, chunk)}
            yield from (found[id_] for id_ in chunk if id_ in found and not hidden(found[id_].prediction.row))


def _gone(store: PredictionStore, ids: Sequence[str]) -> set[str]:
    """Those of the ids that the store has no more."""
    gone = set(ids)
    with store.connect() as connection:
        for chunk in chunks(ids):
            gone.difference_update(connection.scalars(sa.select(predictions.c.id).where(predictions.c.id.in_(chunk))))
    return gone


def _line(pair: Labelled) -> bytes:
    content = {"key": pair.prediction.id, "row": pair.prediction.row, "label": pair.label}
    return (json.dumps(content, ensure_ascii=False, sort_keys=True) + "\n").encode()

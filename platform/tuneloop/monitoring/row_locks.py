"""The order in which rows of the prediction store are locked.

Everyone keeps it, so that on PostgreSQL no transactions wait for each other in a circle. New rows are inserted before
others are locked; then come the tables in the order predictions, labels, shadows; and rows of a table in the order of
the bytes of their ids, whatever the database's own order of texts is. An UPDATE or DELETE of many rows locks them in
any order, and finds some that were not there a statement before: it is told the ids of rows that are locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tuneloop.monitoring.chunks import chunks
from tuneloop.monitoring.tables import labels, predictions, shadows


def in_order(connection: sa.Connection, ids: sa.Column[str], *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """A query that locks rows until the transaction ends, and gives their ids in the order of `sorted`.

    Args:
        connection: In a transaction that may write. SQLite locks as a whole when that begins.
        ids: The primary key of the table.
        where: Which rows.
    """
    ordered = ids.collate("C") if connection.dialect.name == "postgresql" else ids
    return sa.select(ids).where(*where).order_by(ordered).with_for_update()


def delete_locked(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Delete predictions that this transaction has locked, with their labels and shadows.

    Args:
        connection: In the transaction.
        ids: Of predictions.
    """
    delete_told(connection, ids)
    for chunk in chunks(ids):
        connection.execute(sa.delete(predictions).where(predictions.c.id.in_(chunk)))


def delete_told(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Delete the labels and the shadows of predictions, whether these are there or not."""
    for key in (labels.c.prediction_id, shadows.c.prediction_id):
        for chunk in chunks(sorted(ids)):
            held = connection.scalars(in_order(connection, key, key.in_(chunk))).all()
            connection.execute(sa.delete(key.table).where(key.in_(held)))

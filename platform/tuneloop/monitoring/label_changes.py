"""Labels on their way into the store: each one says what it replaced, so that a count can be put right.

Two workers may label one prediction at the same time. The first INSERT makes the record; whoever comes later locks it,
reads what it holds, and replaces that: every label but the last is named as replaced exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from tuneloop.monitoring.tables import labels

LabelState = Literal["new", "changed", "same"]


@dataclass(frozen=True, slots=True)
class LabelChange:
    """What a label did.

    Attributes:
        state: Whether it is the first label of its id, another one, or the one already there.
        before: The JSON text it replaced; None where it replaced nothing.
        counted: Whether the label before had been joined with its prediction, and so counted.
    """

    state: LabelState
    before: str | None = None
    counted: bool = False


_NEW, _SAME = LabelChange("new"), LabelChange("same")


def write_labels(
    connection: sa.Connection, insert: Callable[[sa.Table], Any], items: Mapping[str, str], now: float
) -> list[LabelChange]:
    """Store labels by prediction id, each as a JSON text; the last one wins.

    Args:
        connection: In a transaction that may write.
        insert: An INSERT in the words of the database.
        items: Prediction ids, known or not, and their labels; no more than fit into one statement.
        now: Unix seconds.

    Returns:
        What each label did, in order.
    """
    values = [
        {"prediction_id": id_, "label": label, "time": now, "corrections": 0, "joined": False}
        for id_, label in items.items()
    ]
    # With the values beside it the statement is compiled once, and not anew for each number of rows.
    first = insert(labels).on_conflict_do_nothing().returning(labels.c.prediction_id)
    new = set(connection.scalars(first, values))
    known = [id_ for id_ in items if id_ not in new]
    if not known:
        return [_NEW] * len(items)
    # In the order of ids, so that two workers cannot wait for each other.
    held = sa.select(labels.c.prediction_id, labels.c.label, labels.c.joined).where(labels.c.prediction_id.in_(known))
    locked = held.order_by(labels.c.prediction_id).with_for_update()
    changes = {
        row.prediction_id: LabelChange("changed", row.label, row.joined)
        for row in connection.execute(locked)
        if row.label != items[row.prediction_id]
    }
    if changes:
        replace = (
            sa.update(labels)
            .where(labels.c.prediction_id == sa.bindparam("one"))
            .values(label=sa.bindparam("text"), time=now, corrections=labels.c.corrections + 1)
        )
        connection.execute(replace, [{"one": id_, "text": items[id_]} for id_ in changes])
    return [_NEW if id_ in new else changes.get(id_, _SAME) for id_ in items]

"""Labels on their way into the store: each one says what it replaced, so that a count can be put right.

Two workers may label one prediction at the same time. The first INSERT makes the record; whoever comes later locks it,
reads what it holds, and replaces that: every label but the last is named as replaced exactly once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from tuneloop.monitoring.chunks import chunks
from tuneloop.monitoring.row_locks import in_order
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


class DeletedMeanwhileError(Exception):
    """A label was deleted after it was met, and before it was locked."""


_NEW, _SAME = LabelChange("new"), LabelChange("same")


def write_labels(
    connection: sa.Connection, insert: Callable[[sa.Table], Any], items: Sequence[tuple[str, str]], now: float
) -> list[LabelChange]:
    """Store labels by prediction id, each as a JSON text; the last one wins.

    Args:
        connection: In a transaction that may write.
        insert: An INSERT in the words of the database.
        items: Prediction ids, known or not, and their labels; an id may occur more than once.
        now: Unix seconds.

    Returns:
        What each label did, in order.

    Raises:
        DeletedMeanwhileError: Begin a new transaction. This one holds rows, and may not insert one more before them.
    """
    first: dict[str, str] = {}
    for id_, label in items:
        first.setdefault(id_, label)
    ids = sorted(first)
    new = _insert(connection, insert, [(id_, first[id_]) for id_ in ids], now)
    held = {id_: (first[id_], False) for id_ in new} | _locked(connection, [id_ for id_ in ids if id_ not in new])
    if len(held) < len(ids):
        raise DeletedMeanwhileError
    changes, turned = [], Counter[str]()
    for id_, label in items:
        before, counted = held[id_]
        if id_ in new:
            new.remove(id_)
            changes.append(_NEW)
        elif before == label:
            changes.append(_SAME)
        else:
            changes.append(LabelChange("changed", before, counted))
            held[id_], turned[id_] = (label, counted), turned[id_] + 1
    if turned:
        replace = (
            sa.update(labels)
            .where(labels.c.prediction_id == sa.bindparam("one"))
            .values(label=sa.bindparam("text"), time=now, corrections=labels.c.corrections + sa.bindparam("times"))
        )
        connection.execute(
            replace, [{"one": id_, "text": held[id_][0], "times": times} for id_, times in turned.items()]
        )
    return changes


def _insert(
    connection: sa.Connection, insert: Callable[[sa.Table], Any], items: Sequence[tuple[str, str]], now: float
) -> set[str]:
    """The ids that had no label yet, and have it now."""
    # With the values beside it the statement is compiled once, and not anew for each number of rows.
    statement = insert(labels).on_conflict_do_nothing().returning(labels.c.prediction_id)
    values = [
        {"prediction_id": id_, "label": label, "time": now, "corrections": 0, "joined": False} for id_, label in items
    ]
    return {id_ for chunk in chunks(values) for id_ in connection.scalars(statement, chunk)}


def _locked(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Label and whether it was joined, of those that are there."""
    held: dict[str, tuple[str, bool]] = {}
    for chunk in chunks(ids):
        locked = in_order(connection, labels.c.prediction_id, labels.c.prediction_id.in_(chunk))
        for row in connection.execute(locked.add_columns(labels.c.label, labels.c.joined)):
            held[row.prediction_id] = (row.label, row.joined)
    return held

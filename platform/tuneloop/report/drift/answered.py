"""Rows as a served model sees them: every signal of every row, by the code that also serves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Column, DataError, RequestError, Row, Signal, SignalBatch
from tuneloop.monitoring.reference import read_signal
from tuneloop.monitoring.signals import create_signals

if TYPE_CHECKING:
    from tuneloop.serving.loader import Loaded

_CHUNK = 256


@dataclass(frozen=True, eq=False, slots=True)
class Answered:
    """Rows and their signals.

    Attributes:
        values: Label to the values of the rows that were answered.
        rows: These rows, as the model takes them.
        numbers: Their numbers in the input, from 1.
        refused: How many rows the model refused, by reason.
    """

    values: dict[str, NDArray[Any]]
    rows: list[Row]
    numbers: list[int]
    refused: dict[str, int]


def signals_of(loaded: Loaded, exclude: Collection[str] = ()) -> tuple[Signal, ...]:
    """The signals that a server watches for this version."""
    signature = loaded.artifact.manifest.signature
    embedding = next((tensor.shape[1] for tensor in signature.outputs if tensor.name == "embedding"), 0)
    classes = cast("tuple[type[Signal], ...]", loaded.plugins.classes("signal"))
    return create_signals(
        classes, signature.columns, signature.inputs, signature.output_names, int(embedding), frozenset(exclude)
    )


def answer_rows(loaded: Loaded, signals: Sequence[Signal], rows: Sequence[Row], source: str) -> Answered:
    """Answer rows and read their signals.

    Args:
        loaded: The version.
        signals: As `signals_of` gave them.
        rows: Records; columns that the model does not take are not looked at.
        source: Where they come from, for messages.

    Raises:
        DataError: A column is missing from all rows, or the model refuses all rows.
    """
    columns = loaded.artifact.manifest.signature.columns
    taken = _select(rows, columns, source)
    parts: dict[str, list[NDArray[Any]]] = {signal.label: [] for signal in signals}
    kept: list[Row] = []
    numbers: list[int] = []
    refused: Counter[str] = Counter()
    for start in range(0, len(taken), _CHUNK):
        chunk = taken[start : start + _CHUNK]
        accepted = _accepted(loaded, chunk, refused)
        if not accepted:
            continue
        # Rows that may not share a call are answered one by one, as the server does.
        groups = [accepted] if loaded.joins else [[position] for position in accepted]
        for group in groups:
            found = loaded.predictor.predict([chunk[position] for position in group])
            batch = SignalBatch(found.rows, found.encoded, found.outputs, found.answers)
            for signal in signals:
                parts[signal.label].append(read_signal(signal, batch))
        kept += [chunk[position] for position in accepted]
        numbers += [start + position + 1 for position in accepted]
    if not kept:
        reason = refused.most_common(1)[0][0] if refused else "there are none"
        raise DataError(f"{source}: the model took none of {len(rows)} rows ({reason})")
    values = {label: np.concatenate(found) for label, found in parts.items()}
    return Answered(values, kept, numbers, dict(refused))


def _select(rows: Sequence[Row], columns: Sequence[Column], source: str) -> list[Row]:
    present = set().union(*(row.keys() for row in rows))
    if absent := [column.name for column in columns if column.name not in present]:
        raise DataError(
            f"{source} lacks the column {', '.join(map(repr, absent))}, which the model takes; "
            f"it has: {', '.join(sorted(present))}"
        )
    return [{column.name: _plain(row.get(column.name)) for column in columns} for row in rows]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


def _accepted(loaded: Loaded, rows: Sequence[Row], refused: Counter[str]) -> list[int]:
    """Positions of the rows that the model takes; the others are counted by reason."""
    preprocessor = loaded.predictor.preprocessor
    try:
        preprocessor.check(rows)
    except RequestError:
        taken = []
        for position, row in enumerate(rows):
            try:
                preprocessor.check([row])
                taken.append(position)
            except RequestError as error:
                refused[f"refused by the model: {error.reason}"] += 1
        return taken
    return list(range(len(rows)))

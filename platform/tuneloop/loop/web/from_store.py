"""The curves from the prediction store, where there is no Prometheus: each point counts the rows of its own window.

Stored rows and answers give the signals of columns, answer and confidence; those that need the model's inputs or
outputs (length, entropy, embedding) cannot be had from them.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from tuneloop.api import ArtifactError, RequestError, Signal, SignalBatch
from tuneloop.loop.web.curves import Asked, Curves, accuracy_chart, drift_chart
from tuneloop.loop.web.drawing import Point
from tuneloop.monitoring.formula import CONFIDENCE_Z, corrected, drift
from tuneloop.monitoring.reference import REFERENCE_FILE, Reference
from tuneloop.monitoring.signals import AnswerClass, AnswerValue, ColumnCategory, ColumnNumber, Confidence
from tuneloop.monitoring.tables import labels, predictions

if TYPE_CHECKING:
    from pathlib import Path

    from tuneloop.api import Row
    from tuneloop.monitoring.store import PredictionStore

MOST_ROWS = 20_000
"""Rows of a curve; of more, the newest."""
_FEWEST = 10
"""Rows of a point."""
_COLUMN = "column:"


def read_store(store: PredictionStore, asked: Asked, artifact: Path | None) -> Curves:
    """Count stored rows.

    Args:
        store: Where they are.
        asked: What is shown.
        artifact: The champion's folder, which holds the reference; None: it is not known.

    Raises:
        SQLAlchemyError: The store cannot be reached.
    """
    reference = _reference(artifact)
    drifted: dict[str, list[Point]] = {}
    if reference is not None and asked.champion is not None:
        drifted = _drift(_rows(store, asked), reference, asked)
    tolerance = 0.0 if reference is None else reference.tolerance
    tests = asked.windows * (1 if reference is None else len(reference.signals))
    return Curves(
        drift_chart(asked, drifted, corrected(asked.zscore, max(tests, 1))),
        accuracy_chart(asked, _accuracy(store, asked, tolerance)),
        f"the prediction store, the newest {MOST_ROWS:,} rows at most",
        f"The champion answered no {_FEWEST} rows within one window of this time.",
        "No label of an answer of this time has come back.",
    )


def _reference(artifact: Path | None) -> Reference | None:
    if artifact is None:
        return None
    try:
        return Reference.load(artifact / REFERENCE_FILE)
    except ArtifactError:
        return None


def _window(asked: Asked, moment: float) -> float:
    """The end of the window that a moment falls into."""
    return asked.start + (math.floor((moment - asked.start) / asked.step) + 1) * asked.step


def _rows(store: PredictionStore, asked: Asked) -> dict[float, list[tuple[Row, Mapping[str, Any]]]]:
    """The champion's rows and answers by window."""
    table = predictions.c
    query = (
        sa.select(table.time, table.row, table.answer)
        .where(table.model == asked.model, table.version == asked.champion)
        .where(table.time >= asked.start, table.time <= asked.end)
        .order_by(table.time.desc())
        .limit(MOST_ROWS)
    )
    found: dict[float, list[tuple[Row, Mapping[str, Any]]]] = defaultdict(list)
    with store.connect() as connection:
        for moment, row, answer in connection.execute(query):
            found[_window(asked, moment)].append((json.loads(row), json.loads(answer)))
    return found


def _drift(
    windows: Mapping[float, Sequence[tuple[Row, Mapping[str, Any]]]], reference: Reference, asked: Asked
) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = defaultdict(list)
    for end in sorted(windows):
        rows = windows[end]
        if len(rows) < _FEWEST:
            continue
        batch = SignalBatch([row for row, _ in rows], (), {}, [dict(answer) for _, answer in rows])
        for bins in reference.signals:
            values = _values(bins.label, bins.kind, batch)
            if values is None:
                continue
            counts = np.bincount(bins.index(values), minlength=len(bins.counts)).astype(np.float64)
            moved = drift(counts, bins.ratios, reference.rows)
            if moved is not None:
                found[bins.label].append((min(end, asked.end), moved.zscore))
    return found


def _values(label: str, kind: str, batch: SignalBatch) -> NDArray[Any] | None:
    """What a built-in signal reads from rows and answers alone; None for other signals."""
    signal: Signal
    if label.startswith(_COLUMN):
        column = label.removeprefix(_COLUMN)
        # A row is stored as the client sent it, or without what must not be kept.
        if not any(column in row for row in batch.rows):
            return None
        signal = ColumnNumber(column) if kind == "number" else ColumnCategory(column)
    elif label == "answer":
        signal = AnswerValue() if kind == "number" else AnswerClass()
    elif label == "confidence":
        signal = Confidence()
    else:
        return None
    return signal.read(batch)


def _accuracy(
    store: PredictionStore, asked: Asked, tolerance: float
) -> dict[str, list[tuple[float, float, float, float]]]:
    """By version: the end of a window, the share of right answers and its Wilson interval."""
    table = predictions.c
    query = (
        sa.select(table.time, table.version, table.answer, labels.c.label)
        .join(labels, labels.c.prediction_id == table.id)
        .where(table.model == asked.model, table.time >= asked.start, table.time <= asked.end)
        .order_by(table.time.desc())
        .limit(MOST_ROWS)
    )
    counts: dict[str, dict[float, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    with store.connect() as connection:
        for moment, version, answer, label in connection.execute(query):
            right = is_right(json.loads(answer), json.loads(label), tolerance)
            if right is not None:
                count = counts[version][_window(asked, moment)]
                count[0] += right
                count[1] += 1
    return {
        version: [
            (min(end, asked.end), right / rows, *wilson(right, rows)) for end, (right, rows) in sorted(windows.items())
        ]
        for version, windows in counts.items()
    }


def is_right(answer: Mapping[str, Any], label: Any, tolerance: float) -> bool | None:
    """Whether an answer was right, as the server counts it; None where the two cannot be compared."""
    if "label" in answer:
        return str(answer["label"]) == str(label)
    try:
        return abs(float(answer["value"]) - float(label)) <= tolerance
    except (KeyError, TypeError, ValueError, RequestError):
        return None


def wilson(right: float, rows: float, z: float = CONFIDENCE_Z) -> tuple[float, float]:
    """Both ends of the Wilson score interval of `right / rows` (Wilson 1927), as the alert rules compute it."""
    share = right / rows
    middle, reach = share + z**2 / (2 * rows), z * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return (middle - reach) / (1 + z**2 / rows), (middle + reach) / (1 + z**2 / rows)

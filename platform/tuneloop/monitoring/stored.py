"""What the prediction store keeps, and its form in the database: rows, answers and labels are JSON texts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneloop.api import Answer, Row

_ENCODER = json.JSONEncoder(sort_keys=True, allow_nan=False, default=str)


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
class Shadow:
    """What a challenger answered, unseen, to the row of prediction `id`. `time` is in Unix seconds."""

    id: str
    version: str
    time: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one model: predictions, those with a label, label changes; `waiting`: labels of no known prediction."""

    predictions: int
    labelled: int
    corrections: int
    waiting: int


def as_record(prediction: Prediction) -> tuple[Any, ...]:
    """The values of the columns of `tables.predictions`, in their order."""
    return (
        prediction.id,
        prediction.model,
        prediction.version,
        prediction.time,
        as_text(prediction.row),
        as_text(prediction.answer),
        prediction.subject,
    )


def as_prediction(record: Any) -> Prediction:
    """The prediction in a row of `tables.predictions`."""
    row, answer = json.loads(record.row), json.loads(record.answer)
    return Prediction(record.id, record.model, record.version, record.time, row, answer, record.subject)


def as_text(value: Any) -> str:
    """JSON in ASCII, sorted: equal values give equal texts, and no database trips over a character."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return json.dumps(_finite(value), sort_keys=True, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value

"""What is said of records that get no answer: in the error that ends a job, and in the file of rejects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tuneloop.api import DataError
from tuneloop.serving.offline.cells import as_json
from tuneloop.serving.offline.inputs import Window
from tuneloop.serving.offline.scorer import Refusal


def refused_error(window: Window, place: int, refusal: Refusal) -> DataError:
    """The error that ends a job at a refused record."""
    field = f", field {refusal.field!r}" if refusal.field else ""
    return DataError(
        f"{window.records[place].where}{field}: {refusal.reason}. To go on without it: --on-error skip leaves such "
        "records out, --on-error null writes them without an answer; both list them in a file of rejects"
    )


def reject_line(window: Window, place: int, refusal: Refusal) -> bytes:
    """One line of the file of rejects: where the record stands, what is wrong, and the record itself."""
    record = window.records[place]
    values: dict[str, Any] = {"row": window.first + place, "file": record.file, record.unit: record.place}
    values |= {"field": refusal.field, "reason": refusal.reason}
    values |= {"text": record.text} if record.broken else {"record": _shown(record.values)}
    return (json.dumps(values, allow_nan=False) + "\n").encode()


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        try:
            found[name] = as_json(value)
        except DataError:
            found[name] = repr(value)[:200]
    return found

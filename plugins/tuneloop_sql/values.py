"""Values of a database as those of a table for models: numbers, texts, truths, and nothing else."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Sequence
from typing import Any

from tuneloop.api import DataError


def columns_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Rows as columns by name.

    Raises:
        DataError: A value is of a kind that no model reads.
    """
    return {name: [plain(name, row[place]) for row in rows] for place, name in enumerate(names)}


def plain(name: str, value: Any) -> Any:
    """One value: decimals as float64, dates and times in ISO 8601, identifiers as texts.

    Raises:
        DataError: It is of another kind; names the column.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [plain(name, one) for one in value]
    raise DataError(
        f"data source 'sql': column {name!r} holds a {type(value).__name__}; convert it in the query, or leave it out"
    )

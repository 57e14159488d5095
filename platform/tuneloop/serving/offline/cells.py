"""Single values as CSV texts and as JSON values."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from collections.abc import Mapping
from typing import Any

from tuneloop.api import DataError


def as_text(value: Any) -> Any:
    """A value as the CSV writer takes it; a missing one is empty, lists and objects are JSON.

    Raises:
        DataError: It is neither a text nor has one.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    plain = as_json(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, allow_nan=False)


def as_json(value: Any) -> Any:
    """A value as JSON can hold it: dates in ISO 8601, exact decimals as texts, a number that is not finite as null.

    Raises:
        DataError: It has no form in JSON.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | uuid.UUID | datetime.timedelta):
        return str(value)
    raise DataError(
        f"a value of type {type(value).__name__} ({value!r:.40}) has no form in CSV and JSON; "
        "write Parquet, or name the columns to keep without it"
    )

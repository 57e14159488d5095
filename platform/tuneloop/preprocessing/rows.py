"""The checks every preprocessor makes on raw rows before it reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tuneloop.api import Column, RequestError, Row

_LARGEST = 3.4028234663852886e38
"""The greatest float32: model inputs are float32."""


def check_columns(row: Row, columns: Sequence[Column], position: int) -> None:
    """Every column is there and no other.

    Raises:
        RequestError: Names the row and the column.
    """
    if not isinstance(row, dict):
        raise RequestError(f"a row is an object of columns, not {_shown(row)}", row=position)
    names = [column.name for column in columns]
    for name in names:
        if name not in row:
            raise RequestError(f"is absent; a row has: {', '.join(names)}", field=name, row=position)
    for name in row:
        if name not in names:
            raise RequestError(
                f"is not a column of this model; a row has: {', '.join(names)}",
                field=str(name)[:80],
                row=position,
            )


def check_value(value: Any, column: Column, position: int) -> Any:
    """The value as the column's kind: a text, a finite float, or None where it is missing.

    Raises:
        RequestError: The value has another type, or is not finite.
    """
    if value is None:
        return None
    if column.kind == "number":
        return _number(value, column, position)
    if column.kind == "category" and isinstance(value, bool | int | float):
        return category_text(value)
    if not isinstance(value, str):
        raise RequestError(f"must be a text, not {_shown(value)}", field=column.name, row=position)
    if "\x00" in value or (not value.isprintable() and any(0xD800 <= ord(c) <= 0xDFFF for c in value)):
        raise RequestError(
            "holds characters that are no text (NUL or half a surrogate)", field=column.name, row=position
        )
    return value


def check_text(value: Any, column: Column, position: int, most: int) -> str:
    """A text that is not blank, of so many characters at most.

    Raises:
        RequestError: The value is no such text.
    """
    text: str | None = check_value(value, column, position)
    if text is None or not text.strip():
        raise RequestError("must be a text that is not blank", field=column.name, row=position)
    if len(text) > most:
        raise RequestError(f"has {len(text)} characters; at most {most} are read", field=column.name, row=position)
    return text


def category_text(value: Any) -> str:
    """One spelling for one category, whether it came as a number or a text: 1, 1.0 and "1" are the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(value: Any, column: Column, position: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"must be a number, not {_shown(value)}", field=column.name, row=position)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise RequestError(f"must be a finite 32-bit number, not {_shown(value)}", field=column.name, row=position)
    return number


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""One record of an input file, and its values as the columns of a model."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tuneloop.api import Column

MISSING = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"))
"""What stands for a missing number or category in a CSV file; the same as where rows are read for training."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the file has it.

    Attributes:
        file: The file.
        unit: What `place` counts.
        place: Its first line, or its row, from 1.
        values: By column; texts where the file is CSV.
        broken: Why it is no record; empty where it is one.
        text: The broken line.
    """

    file: str
    unit: Literal["line", "row"]
    place: int
    values: Mapping[str, Any]
    broken: str = ""
    text: str = ""

    @property
    def where(self) -> str:
        """Where it stands, for a message."""
        return f"{self.file}, {self.unit} {self.place}"


@dataclass(frozen=True, slots=True)
class Table:
    """An opened input file.

    Attributes:
        columns: Those of the header or schema; of JSON lines those of the first records.
        open_columns: Whether later records may have other columns.
        schema: `pyarrow.Schema` of a Parquet file; None elsewhere.
        head: The first records of JSON lines: what types are inferred from.
        records: All records.
        done: How much of the file was read, 0 to 1.
        value: Makes a model's value of one of a record.
    """

    columns: tuple[str, ...]
    records: Iterator[Record]
    done: Callable[[], float]
    value: Callable[[Any, Column], Any]
    open_columns: bool = False
    schema: Any = None
    head: tuple[Record, ...] = ()


def from_text(value: str, column: Column) -> Any:
    """A CSV value as the model's column means it; what cannot be read stays a text, for the preprocessor to refuse.

    A text is taken as it stands, also one such as `NA`; only an empty one is missing. A category spelt as a number or
    a truth value means what such a value means where a whole CSV column holds them: 1, 1.0 and 01 are the same.
    """
    if column.kind in ("text", "words", "audio", "image", "prompt"):
        return value or None
    if column.kind == "number":
        return None if value in MISSING else _number(value)
    if value in column.categories:
        return value
    if value in MISSING:
        return None
    if value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return value.lower() == "true" if value.lower() in column.categories else value
    number = _number(value)
    return value if isinstance(number, str) or not math.isfinite(number) else _known(number, value, column)


def _known(number: float, value: str, column: Column) -> Any:
    spelling = str(int(number)) if number.is_integer() else str(number)
    return number if spelling in column.categories else value


def from_json(value: Any, column: Column) -> Any:  # noqa: ARG001
    """A JSON value is what a client would send."""
    return value


def from_arrow(value: Any, column: Column) -> Any:
    """A value of a Parquet file; its NaN is a missing value, its dates are categories by their text."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, decimal.Decimal) and column.kind == "number":
        return float(value)
    if isinstance(value, datetime.date | datetime.time | decimal.Decimal) and column.kind == "category":
        return str(value)
    return value


def _number(value: str) -> float | str:
    # Python reads 1_000 as a number; no program writes one so.
    if "_" in value:
        return value
    try:
        return float(value)
    except ValueError:
        return value

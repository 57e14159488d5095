"""The columns of the data: what each is for, its type, what is missing in it; and what does not fit together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.api import Columns, Row
from tuneloop.pipeline.data.rows import column, plain
from tuneloop.pipeline.findings.finding import SHOWN, finding

if TYPE_CHECKING:
    from datasets import Dataset

    from tuneloop.config.project import Split

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+|\d{1,3}(,\d{3})+(\.\d*)?)([eE][+-]?\d+)?")
"""Also with a comma for the point, or between thousands: those are why a source takes numbers for texts."""
_CODE_DIGITS = 5
_CODES = 20
"""So few different numbers are the names of classes, on purpose."""


def table_of_columns(rows: Dataset, columns: Columns, split: Split, missing: Mapping[str, int]) -> list[dict[str, Any]]:
    """Each column of the data as JSON: its name, what it is used as (empty: it is not), its type, what is missing.

    Args:
        rows: The data.
        columns: The roles of the columns.
        split: Names the columns that rows are split by.
        missing: Rows without a value, by the columns that were looked at.
    """
    uses: dict[str, list[str]] = {}
    for role, name in columns.inputs.items():
        uses.setdefault(name, []).append("input" if role == name else role)
    named = {"answer": columns.target, "key": columns.key or split.key, "group": split.group, "time": split.time}
    for use, place in named.items():
        if place is not None:
            uses.setdefault(place, []).append(use)
    types = rows.features.arrow_schema
    return [
        {
            "name": name,
            "use": ", ".join(uses.get(name, [])),
            "type": str(types.field(name).type),
            "missing": missing.get(name),
        }
        for name in rows.column_names
    ]


def missing(rows: Sequence[Row], names: Sequence[str]) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """How many rows have no value, by column; and a finding for each column where there are some."""
    counts, found = {}, []
    for name in names:
        at = [i for i, value in enumerate(column(rows, name)) if plain(value) is None or value == ""]
        counts[name] = len(at)
        if at:
            share = len(at) / len(rows)
            found.append(finding("missing", f"column {name!r} is missing in {len(at)} rows ({share:.1%})", at))
    return counts, found


def empty_columns(absent: Mapping[str, int], rows: int) -> list[dict[str, Any]]:
    """A finding for each column without any value."""
    return [
        finding("schema", f"column {name!r} holds nothing: leave it out of data.columns", range(rows))
        for name, count in absent.items()
        if count == rows
    ]


def numbers_as_texts(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """A finding for each column of texts of which all or most are numbers.

    A few different numbers are the names of classes. Whole numbers with equally many digits are codes if those are many
    or the first may be 0. Both are texts on purpose. No finding quotes a value.

    Args:
        rows: All rows.
        names: Columns in which a text is read as a category or a number, not as a text.
    """
    found = []
    for name in names:
        read = _Texts()
        for row, value in enumerate(column(rows, name)):
            if isinstance(value, str):
                read.see(row, value)
            elif plain(value) is not None:
                # A column has one type: there are no texts in it.
                break
        if read.are_quantities() and read.other_count:
            text = (
                f"column {name!r} is mixed: {read.count} values are numbers, {read.other_count} are texts that are "
                f"none, so that all are read as texts. Mend them, or have the source read them as missing"
            )
            found.append(finding("schema", text, read.others))
        elif read.are_quantities():
            text = (
                f"the {read.count} values of column {name!r} are numbers stored as texts, and are not read as numbers. "
                f"Store them as numbers, or ignore this where they are codes"
            )
            found.append(finding("schema", text, read.first))
    return found


class _Texts:
    """What was seen of a column of texts."""

    def __init__(self) -> None:
        self.count = self.other_count = 0
        self.first: list[int] = []
        self.others: list[int] = []
        self._different: set[str] = set()
        self._lengths: set[int] = set()
        self._whole = True
        self._padded = False

    def see(self, row: int, text: str) -> None:
        """One value; white space is none."""
        text = text.strip()
        if _NUMBER.fullmatch(text):
            self.count += 1
            if len(self.first) < SHOWN:
                self.first.append(row)
            if len(self._different) <= _CODES:
                self._different.add(text)
            self._lengths.add(len(text))
            self._whole = self._whole and text.isdigit()
            self._padded = self._padded or text.startswith("0")
        elif text:
            self.other_count += 1
            if len(self.others) < SHOWN:
                self.others.append(row)

    def are_quantities(self) -> bool:
        """Whether most are numbers, and those no codes."""
        codes = self._whole and len(self._lengths) == 1 and (self._padded or max(self._lengths) >= _CODE_DIGITS)
        return self.count > self.other_count and len(self._different) > _CODES and not codes

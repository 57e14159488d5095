"""From the columns of two tables to samples: what kind each column is, and which tell the tables apart by design."""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError
from tuneloop.monitoring.offline.samples import Kind, Sample, as_objects
from tuneloop.monitoring.offline.suspects import suspicion

Table = Mapping[str, Sequence[Any]]
"""Column name to plain Python values; None or NaN is missing. All columns are of one length."""

_TEXT_WORDS = 3.0
"""Texts with at least this many words on average are read as texts, others as categories."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What two tables have in common.

    Attributes:
        samples: The columns to compare.
        left_out: Columns that are not compared, and why.
        changes: Columns that came, went, or hold another kind of value: a change that needs no test.
    """

    samples: tuple[Sample, ...]
    left_out: Mapping[str, str]
    changes: tuple[str, ...]


def compare_columns(
    reference: Table, current: Table, *, exclude: Collection[str] = (), include: Collection[str] = ()
) -> Columns:
    """Read two tables side by side.

    Args:
        reference: The rows things are compared with.
        current: The rows in question.
        exclude: Columns to leave out.
        include: Columns to compare although they look like a time or an identifier.

    Raises:
        DataError: `exclude` or `include` name a column that neither table has, or no column is left.
    """
    names = list(dict.fromkeys([*reference, *current]))
    if unknown := sorted({*exclude, *include} - set(names)):
        raise DataError(
            f"there is no column {', '.join(map(repr, unknown))} to include or exclude; there are: {', '.join(names)}"
        )
    if not set(reference) & set(current):
        raise DataError(
            f"the tables have no column in common: the reference has {', '.join(reference)}; "
            f"the current rows have {', '.join(current)}"
        )
    samples, left_out, changes = [], {}, []
    for name in names:
        if name in exclude:
            left_out[name] = "excluded by name"
        elif name not in current or name not in reference:
            changes.append(f"column {name!r} is only in the {'reference' if name in reference else 'current'} rows")
        else:
            read = _read(name, reference[name], current[name], asked=name in include)
            if isinstance(read, Sample):
                samples.append(read)
            elif read.startswith("column "):
                changes.append(read)
            else:
                left_out[name] = read
    if not samples:
        reasons = "; ".join([f"{name}: {reason}" for name, reason in left_out.items()] + changes)
        raise DataError(f"there is no column to compare ({reasons})")
    return Columns(tuple(samples), left_out, tuple(changes))


def _read(name: str, reference: Sequence[Any], current: Sequence[Any], *, asked: bool) -> Sample | str:
    """The sample; or why the column is left out, or how its kind of value changed."""
    kinds = [_kind(values) for values in (reference, current)]
    known = [kind for kind in kinds if kind != "nothing"]
    if not known:
        return "no value in either table"
    if "nested" in kinds:
        return "its values are neither numbers nor texts"
    if "time" in known and not asked:
        return "a time; rows differ in it by design"
    if len(set(known)) > 1:
        words = {"number": "numbers", "texts": "texts", "time": "times"}
        return f"column {name!r} holds {words[kinds[0]]} in the reference and {words[kinds[1]]} in the current rows"
    sides = [_numbers(values) if known[0] == "number" else _texts(values) for values in (reference, current)]
    kind: Kind = "number" if known[0] == "number" else _category_or_text(sides)
    if not asked and (reason := suspicion(kind, sides[0], sides[1])):
        return reason
    return Sample(name, kind, *sides)


def _kind(values: Sequence[Any]) -> str:
    """`number`, `texts`, `time`, `nested`, or `nothing` where all values are missing."""
    found = {type(value) for value in values if not _missing(value)}
    if not found:
        return "nothing"
    if all(issubclass(kind, int | float | np.number) and kind is not bool for kind in found):
        return "number"
    if all(issubclass(kind, datetime.date | datetime.time) for kind in found):
        return "time"
    if any(not issubclass(kind, str | bool | int | float) for kind in found):
        return "nested"
    return "time" if found == {str} and _are_times(values) else "texts"


def _are_times(values: Sequence[Any]) -> bool:
    """Whether the first hundred texts are ISO dates or times with separators."""
    shown = [value for value in values if not _missing(value)][:100]
    try:
        for text in shown:
            if "-" not in text and ":" not in text:
                return False
            datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _category_or_text(sides: Sequence[NDArray[Any]]) -> Kind:
    """Text, where values are of several words and most of them are seen once on at least one side."""
    present = [[text for text in side if text is not None] for side in sides]
    distinct = {text for side in present for text in side}
    words = sum(len(text.split()) for text in distinct) / len(distinct)
    varied = any(len(set(side)) > len(side) / 2 for side in present)
    return "text" if words >= _TEXT_WORDS and varied else "category"


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def _texts(values: Sequence[Any]) -> NDArray[Any]:
    return as_objects([None if _missing(value) else str(value) for value in values])


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)

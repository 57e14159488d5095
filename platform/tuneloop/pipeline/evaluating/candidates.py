"""Parts of the rows that may be answered worse than the rest: by column, by length, by right answer, by likeness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.pipeline.data.rows import plain
from tuneloop.pipeline.evaluating.shown import shown

Mask = NDArray[np.bool_]

LEAST_ROWS = 20
LIKENESS = "likeness to the model"
_MOST_VALUES = 30
_QUARTERS = 4
_FEW_NUMBERS = 8
"""A column of so few different numbers is cut by number, not by range."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A part of the rows: what it is cut by, which part it is, and its rows, `bool [n]`."""

    by: str
    value: str
    rows: Mask


def candidates(
    columns: Mapping[str, Sequence[Any]], answers: Sequence[str] | None, groups: NDArray[np.int64] | None
) -> list[Candidate]:
    """All parts of at least 20 rows that leave at least as many.

    Args:
        columns: Values by column, in row order.
        answers: The right answer of each row, where it is a class.
        groups: The cluster of each row.
    """
    found = [one for name, values in columns.items() for one in _by_column(name, list(map(plain, values)))]
    if answers is not None:
        found += _by_value("right answer", list(answers))
    if groups is not None and groups.max(initial=0) > 0:
        count = int(groups.max()) + 1
        found += [Candidate(LIKENESS, f"cluster {one + 1} of {count}", groups == one) for one in range(count)]
    return [one for one in found if LEAST_ROWS <= one.rows.sum() <= len(one.rows) - LEAST_ROWS]


def _by_column(name: str, values: list[Any]) -> Iterator[Candidate]:
    absent = np.array([value is None or value == "" for value in values])
    if absent.any():
        yield Candidate(name, "missing", absent)
    there = [value for value, gone in zip(values, absent, strict=True) if not gone]
    if not there:
        return
    if all(isinstance(value, Real) and not isinstance(value, bool) for value in there):
        numbers = np.array([np.nan if gone else value for value, gone in zip(values, absent, strict=True)], np.float64)
        if len(set(there)) > _FEW_NUMBERS:
            yield from _by_range(name, numbers)
            return
    if all(isinstance(value, str | bool | Real) for value in there):
        few = len(set(map(str, there))) <= max(_MOST_VALUES, len(there) // LEAST_ROWS)
        if few:
            texts = [
                None if gone else value if isinstance(value, str) else shown(value)
                for value, gone in zip(values, absent, strict=True)
            ]
            yield from _by_value(name, texts)
        elif all(isinstance(value, str) for value in there):
            # Of texts; the length of a category's name says no more than the category.
            lengths = [np.nan if gone else len(value) for value, gone in zip(values, absent, strict=True)]
            yield from _by_range(f"length of {name} (characters)", np.array(lengths, np.float64))
    elif all(isinstance(value, list | tuple) for value in there):
        counts = [np.nan if gone else len(value) for value, gone in zip(values, absent, strict=True)]
        yield from _by_range(f"length of {name} (items)", np.array(counts, np.float64))


def _by_value(name: str, values: Sequence[Any]) -> Iterator[Candidate]:
    given = np.array([object() if value is None else value for value in values], dtype=object)
    for value in sorted({value for value in values if value is not None}):
        yield Candidate(name, shown(value), np.asarray(given == value, dtype=np.bool_))


def _by_range(name: str, numbers: NDArray[np.float64]) -> Iterator[Candidate]:
    """Quarters of the rows; equal numbers stay together."""
    there = numbers[np.isfinite(numbers)]
    if len(np.unique(there)) < 2:
        return
    edges = np.unique(np.quantile(there, np.linspace(0, 1, _QUARTERS + 1)))
    for low, high in pairwise(edges.tolist()):
        last = high == edges[-1]
        rows = (numbers >= low) & ((numbers <= high) if last else (numbers < high))
        if rows.any():
            yield Candidate(name, f"{numbers[rows].min():.6g} to {numbers[rows].max():.6g}", rows)

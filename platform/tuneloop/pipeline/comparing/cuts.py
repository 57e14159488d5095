"""The golden holdout cut into slices: by the values of a column, or by its ranges."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.pipeline.data.rows import plain

_PARTS = 4
MOST_VALUES = 50
"""Of a column; the most frequent ones are slices."""


@dataclass(frozen=True, eq=False, slots=True)
class Cut:
    """Some rows: `name` says which, `rows` holds their positions, `int64 [n]`."""

    name: str
    rows: NDArray[np.int64]


def cut(column: str, values: Sequence[Any], least: int) -> tuple[list[Cut], int]:
    """The slices of a column that are large enough, and the number of rows in those that are not.

    A column of few values is cut by them, one of many numbers into quarters, one of many texts into quarters by length.

    Args:
        column: Its name.
        values: Of each row; a missing one is a value too.
        least: Rows of the smallest slice that counts.
    """
    cleaned = [plain(value) for value in values]
    words = np.array([_word(value) for value in cleaned], dtype=object)
    counted = Counter(words.tolist())
    frequent = {word: count for word, count in counted.most_common(MOST_VALUES) if count >= least}
    covered = sum(frequent.values())
    if len(counted) > MOST_VALUES and covered * 2 < len(cleaned) and _ordered(cleaned):
        return _quarters(column, cleaned, least)
    found = [Cut(f"{column}={word}", np.flatnonzero(words == word)) for word in sorted(frequent)]
    return found, len(cleaned) - covered


def _quarters(column: str, values: Sequence[Any], least: int) -> tuple[list[Cut], int]:
    if any(isinstance(value, str) for value in values):
        column = f"length of {column}"
        values = [None if value is None else len(str(value)) for value in values]
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    known = numbers[~np.isnan(numbers)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _PARTS + 1))) if len(known) else np.array([])
    found = []
    for low, high in itertools.pairwise(edges.tolist()):
        # The last one holds its upper end too.
        below = numbers <= high if high == edges[-1] else numbers < high
        rows = np.flatnonzero((numbers >= low) & below)
        if len(rows) >= least:
            found.append(Cut(f"{column} {low:g} to {high:g}", rows))
    missing = np.flatnonzero(np.isnan(numbers))
    if len(missing) >= least:
        found.append(Cut(f"{column} missing", missing))
    return found, len(values) - sum(len(one.rows) for one in found)


def _ordered(values: Sequence[Any]) -> bool:
    """Whether the values can be cut by size: numbers, or texts by their length."""
    return all(value is None or isinstance(value, int | float | str) for value in values)


def _word(value: Any) -> str:
    return "missing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

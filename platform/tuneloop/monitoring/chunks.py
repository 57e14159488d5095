"""Rows for the database, so many a statement as it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

_T = TypeVar("_T")

CHUNK = 500
"""Rows a statement: with seven columns each, below SQLite's limit of 32,766 variables."""

_PART_SIZES = (CHUNK, 100, 20, 4, 1)


def few_sizes(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Chunks of few sizes: the driver keeps each statement it has seen, and a long one holds much memory."""
    start = 0
    for size in _PART_SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Chunks of `CHUNK` items, the last one shorter."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]

"""Text columns of a data set, changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuneloop.api import DataError

if TYPE_CHECKING:
    from datasets import Dataset


def check_texts(who: str, rows: Dataset, columns: Sequence[str]) -> None:
    """All columns are there, and hold texts or nothing.

    Raises:
        DataError: One does not; names it.
    """
    absent = [name for name in columns if name not in rows.column_names]
    if absent:
        raise DataError(f"{who}: there is no column {', '.join(absent)}; there are: {', '.join(rows.column_names)}")
    for name in columns:
        kind = getattr(rows.features[name], "dtype", None)
        if kind not in ("string", "large_string", "null"):
            raise DataError(f"{who}: column {name!r} holds {kind or 'lists'}, which is no text")

"""Encoded rows as they were, with their answers: what tasks are judged beside whose answers are a part of the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneloop.api import Preprocessor, Row
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import StepContext

Quoted = tuple[Sequence[Row], Sequence[Any]]
"""Checked rows, and their right answers."""


def quoted_rows(context: StepContext, split: str, preprocessor: Preprocessor, positions: Sequence[int]) -> Quoted:
    """The rows of a split at these positions.

    Raises:
        DataError: A row does not fit the preprocessor; names it.
    """
    rows = parts.split_rows(context, split).select(list(positions))
    columns = parts.columns_of(context, rows)
    return check_rows(preprocessor, model_rows(rows, columns)), truths(rows, columns)

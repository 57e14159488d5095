"""`monitor.slices` looked at before anything is trained: times, identifiers and texts are no slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, Row
from tuneloop.monitoring.accuracy.slices import unfit_column
from tuneloop.pipeline.data.rows import column as values_of
from tuneloop.pipeline.data.rows import plain

ANSWER_SIGNALS = ("answer", "confidence")
"""Signals that can be read from every stored answer."""


def check_slices(
    wanted: Sequence[str], rows: Sequence[Row], inputs: Sequence[str], texts: Sequence[str], kinds: Sequence[str]
) -> None:
    """Refuse what cannot cut the traffic into parts.

    Args:
        wanted: Columns, or labels of signals.
        rows: All rows of the project, in their order.
        inputs: Columns of a request.
        texts: Those of them that are read as a text, an image or a sound.
        kinds: Names of the signal classes; the label of a signal begins with its class's name.

    Raises:
        DataError: One names no column of a request, or one that a slice cannot be made of; says which, and which could.
    """
    problems = []
    for name in wanted:
        column = name.removeprefix("column:")
        if column in inputs:
            reason = _unfit(column, rows, texts)
            if reason:
                problems.append(f"{name!r} is no slice: {reason}. Add a column with coarser values, such as a weekday")
        elif name not in ANSWER_SIGNALS and name.partition(":")[0] not in kinds:
            problems.append(f"{name!r} is no column of a request")
    if problems:
        usable = [column for column in inputs if not _unfit(column, rows, texts)]
        known = ", ".join([*usable, *ANSWER_SIGNALS])
        raise DataError(f"monitor.slices: {'; '.join(problems)}. It may name: {known}")


def _unfit(name: str, rows: Sequence[Row], texts: Sequence[str]) -> str | None:
    if name in texts:
        return "it is no number and no category"
    values = [plain(value) for value in values_of(rows, name)]
    present = [value for value in values if value is not None]
    if all(isinstance(value, Real) and not isinstance(value, bool) for value in present):
        return unfit_column("number", np.array([math.nan if value is None else float(value) for value in values]))
    return unfit_column("category", _texts(values))


def _texts(values: Sequence[Any]) -> NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    found[:] = [None if value is None else str(value) for value in values]
    return found

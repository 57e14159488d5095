"""Columns that will never again hold the values they hold now: times, row numbers, identifiers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Row
from tuneloop.monitoring.offline.suspects import suspicion
from tuneloop.pipeline.data.rows import column, plain
from tuneloop.pipeline.findings.finding import finding


def clocks(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """A finding for each column of a table that looks like a time or an identifier; `rows` are in their order.

    What the project watches is not asked for: training would be done again whenever that changes.
    """
    found = []
    for name in names:
        kind, values = _read([plain(value) for value in column(rows, name)])
        reason = suspicion(kind, values, values)
        if reason:
            like = "in order, like a time or a row number" if reason.startswith("monotone") else "all different"
            text = (
                f"the values of column {name!r} are {like}: in production all will be new, and alarm as "
                f"drifted for ever. Leave it out of the model (data.columns.inputs), or at least do not watch it: "
                f"monitor: {{exclude: ['column:{name}']}}"
            )
            found.append(finding("identifiers", text, [0, len(rows) - 1]))
    return found


def _read(values: Sequence[Any]) -> tuple[str, NDArray[Any]]:
    """The kind of a column, and its values as signals read them."""
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, Real) and not isinstance(value, bool) for value in present):
        numbers = [math.nan if value is None else float(value) for value in values]
        return "number", np.array(numbers, dtype=np.float64)
    texts = np.empty(len(values), dtype=object)
    texts[:] = [None if value is None else str(value) for value in values]
    return "category", texts

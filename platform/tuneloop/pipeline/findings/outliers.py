"""Numbers far from all others of their column: a slipped decimal point, a code such as -999."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuneloop.api import Row
from tuneloop.pipeline.data.rows import column
from tuneloop.pipeline.findings.finding import finding

_FAR = 10.0
_FEWEST = 30
_MOST_SHARE = 0.01


def outliers(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """A finding for each column of numbers in which few are farther from the median than ten spreads.

    The spread is the median distance from the median, times 1.4826: that of a normal distribution (Iglewicz and
    Hoaglin, "How to Detect and Handle Outliers", 1993). A column of which many values are far has a long tail, not
    outliers.
    """
    found = []
    for name in names:
        read = np.fromiter(
            (float(value) if _is_number(value) else np.nan for value in column(rows, name)), np.float64, len(rows)
        )
        places = np.flatnonzero(~np.isnan(read))
        values = read[places]
        if len(values) < _FEWEST:
            continue
        middle = np.median(values)
        spread = 1.4826 * float(np.median(np.abs(values - middle)))
        far = np.flatnonzero(np.abs(values - middle) > _FAR * spread) if spread > 0 else np.array([], int)
        if 0 < len(far) <= _MOST_SHARE * len(values):
            extreme = float(values[far[np.argmax(np.abs(values[far] - middle))]])
            text = f"column {name!r} has {len(far)} values far from all others, such as {extreme:g} (median {middle:g})"
            found.append(finding("outliers", text, places[far].tolist()))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))

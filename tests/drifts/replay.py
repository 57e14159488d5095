"""Real rows as a stream: a reference, then rows one after the other, watched as a server and the alert rules do.

What is watched are the columns; a window is a thousand rows, the fewest that the rules judge by default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.bench.drift import online

from tuneloop.monitoring.bins import CategoryBins, NumberBins
from tuneloop_river import Adwin, PageHinkley

Table = Mapping[str, NDArray[Any]]
WINDOW = 1020
"""Rows: a whole number of steps."""
DETECTORS = (Adwin, PageHinkley)
"""With their default options."""


def data(name: str) -> Path:
    """A file of the data sets that lie beside the repository; the test is skipped where it is absent."""
    folder = os.environ.get("TUNELOOP_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")
    path = Path(folder, name)
    if not path.is_file():
        pytest.skip(f"{path} is absent; name the folder of the data sets in TUNELOOP_TEST_DATA")
    return path


def select(table: Table, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Some rows of a table, in the order given."""
    return {name: values[rows] for name, values in table.items()}


def first_alarms(reference: Table, stream: Table, window: int = WINDOW) -> dict[str, int]:
    """Column to the number of rows of the stream after which its alert first fires; those that stay silent are absent.

    Args:
        reference: Rows of the holdout.
        stream: Rows in order; the same columns.
        window: Rows of a window, a whole number of steps; at least as many as `monitor.min_rows` asks for.
    """
    step = window // online.STEPS
    found = {}
    for name, values in reference.items():
        kind = "number" if values.dtype.kind == "f" else "category"
        bins: NumberBins | CategoryBins = online.make_bins(kind, values)
        steps = [stream[name][start : start + step] for start in range(0, len(stream[name]) - step + 1, step)]
        windows = online.slide(np.stack([online.count(bins, part) for part in steps]))
        held = [online.holds(one, min_rows=min(window, online.RULES.min_rows)) for one in online.figures(bins, windows)]
        fires = online.firing(np.array(held))
        if fires.any():
            found[name] = window + int(np.flatnonzero(fires)[0]) * step
    return found


def first_rises(errors: NDArray[Any]) -> dict[str, int]:
    """Detector to the number of labels after which it first says that the error rose; silent ones are absent.

    Args:
        errors: What each answer turned out to be, 0 (right) to 1, in the order in which labels came.
    """
    found = {}
    for detector in DETECTORS:
        one = detector()
        for place, error in enumerate(errors.tolist()):
            said = one.update(float(error))
            if said == "rise":
                found[detector.name] = place + 1
                break
            one = one if said is None else detector()
    return found

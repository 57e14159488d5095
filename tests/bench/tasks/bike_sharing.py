"""How many bicycles are hired in an hour, from the hour, the day and the weather: a fifth tests, a tenth validates.

The columns `casual` and `registered` add up to the target and are no inputs; the time becomes hour, weekday, month and
year, for both sides.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime

from tests.bench.tasks import trees
from tests.bench.tasks.line import Line
from tests.bench.tasks.pipeline import held_out
from tests.bench.tasks.rows import shared
from tests.bench.tasks.wine_quality import line

TARGET = "count"
MODEL = {"base": "tabular-mlp", "scale": "quantile", "hidden": [256, 256]}
TUNE = {
    "strategy": "full", "epochs": 24, "learning_rate": 2e-3, "weight_decay": 0.1, "batch_size": 128,
    "eval_batch_size": 1024,
}  # fmt: skip
"""Found on validation rows."""


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """The root of the mean squared error, in bicycles, beside that of boosted trees."""
    with (shared("data", "bike_sharing") / "bikeshare.csv").open(newline="") as stream:
        read = [_row(row) for row in csv.DictReader(stream)]
    rest, test = held_out(read, len(read) // 5)
    train, validation = held_out(rest, len(read) // 10, seed=1)
    rows = {"train": train, "validation": validation, "test": test}
    return [line("bike_sharing", TARGET, rows, MODEL, TUNE, seeds, quick=quick, note="Years are mixed.")]


def _row(cells: dict[str, str]) -> trees.Row:
    when = datetime.fromisoformat(cells["datetime"])
    read = {name: float(cells[name]) for name in cells if name not in ("datetime", "casual", "registered")}
    return {**read, "hour": when.hour, "weekday": when.weekday(), "month": when.month, "year": when.year}

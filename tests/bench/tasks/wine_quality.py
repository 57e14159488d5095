"""How people graded a wine, from what a laboratory found in it: a fifth of the wines test, a tenth validates.

A quarter of the rows say the same as another one. They are left out, for both sides: otherwise a model that learns rows
by heart looks good.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from tests.bench.tasks import pipeline, trees
from tests.bench.tasks.line import Line
from tests.bench.tasks.pipeline import held_out
from tests.bench.tasks.rows import shared

TARGET = "quality"
MODEL = {"base": "tabular-mlp", "scale": "quantile", "hidden": [128], "dropout": 0.2}
TUNE = {
    "strategy": "full", "epochs": 12, "learning_rate": 2e-3, "weight_decay": 0.1, "batch_size": 256,
    "eval_batch_size": 1024,
}  # fmt: skip
"""Found on validation rows."""


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """The root of the mean squared error, in grades, beside that of boosted trees."""
    with (shared("data", "wine_quality") / "wine_quality.csv").open(newline="") as stream:
        read = [{name: trees.number(text) for name, text in row.items()} for row in csv.DictReader(stream)]
    different = {tuple(value for name, value in row.items() if name != TARGET): row for row in reversed(read)}
    rest, test = held_out(list(different.values()), len(different) // 5)
    train, validation = held_out(rest, len(different) // 10, seed=1)
    return [line(
        "wine_quality", TARGET, {"train": train, "validation": validation, "test": test}, MODEL, TUNE, seeds,
        quick=quick, note="Rows that are equal but for the grade count once.",
    )]  # fmt: skip


def line(
    name: str,
    target: str,
    rows: dict[str, list[trees.Row]],
    model: dict[str, Any],
    tune: dict[str, Any],
    seeds: Sequence[int],
    *,
    quick: bool,
    note: str,
) -> Line:
    """The line of a regression on a table, beside boosted trees."""
    if quick:
        rows = {place: part[:500] for place, part in rows.items()}
    train, test = rows["train"], rows["test"]
    also = trees.rmse(trees.values([*train, *rows["validation"]], test, target), test, target)
    project = {
        "task": "tabular-regression",
        "data": {"columns": {"target": target}},
        "model": model,
        "tune": {**tune, "epochs": 1} if quick else tune,
    }
    return Line(
        name=name,
        task="tabular-regression",
        data=f"{len(train)} rows to train, {len(rows['validation'])} to validate, {len(test)} to test",
        model="tabular-mlp, scale: quantile, full",
        metric="rmse",
        reference_name=trees.NAME,
        reference=trees.rmse(trees.values(train, test, target), test, target),
        tolerance=trees.TOLERANCE,
        note=f"{note} Trees that learn from the validation rows too reach {also:.4f}.",
        **pipeline.measure(project, rows, metrics=("rmse", "r2"), seeds=seeds)["rmse"].figures(),
    )

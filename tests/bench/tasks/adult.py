"""Who earns more than 50,000 dollars, of the census of 1994: the data set's own test part; a tenth validates."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from typing import Any

import numpy as np
from tests.bench.tasks import pipeline, trees
from tests.bench.tasks.line import Line
from tests.bench.tasks.pipeline import held_out
from tests.bench.tasks.rows import shared

TARGET, RICH = "income", ">50K"
MODEL = {"base": "tabular-mlp", "scale": "quantile", "pieces": 128, "hidden": [128], "dropout": 0.3}
TUNE = {
    "strategy": "full", "epochs": 8, "learning_rate": 2e-3, "weight_decay": 0.1, "batch_size": 256,
    "eval_batch_size": 1024,
}  # fmt: skip
"""Found on validation rows."""


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """Accuracy, the common figure, and the area under the curve, beside those of boosted trees."""
    from sklearn.metrics import roc_auc_score

    rest, test = _read("train"), _read("test")
    train, validation = held_out(rest, len(rest) // 10)
    if quick:
        train, validation, test = train[:1000], validation[:300], test[:300]
    rows = {"train": train, "validation": validation, "test": test}
    right = np.array([row[TARGET] == RICH for row in test])
    found = {}
    for name, learned in (("train", train), ("all", [*train, *validation])):
        rich = trees.chances(learned, test, TARGET, RICH)
        found[name] = {
            "accuracy": float(np.mean((rich > 0.5) == right)),
            "auroc": float(roc_auc_score(right, rich)),
        }
    project: dict[str, Any] = {
        "task": "tabular-classification",
        "data": {"columns": {"label": TARGET}},
        "model": MODEL,
        "tune": {**TUNE, "epochs": 1} if quick else TUNE,
    }
    measured = pipeline.measure(project, rows, metrics=("accuracy", "auroc"), seeds=seeds)
    return [
        Line(
            name="adult" if metric == "accuracy" else f"adult {metric}",
            task="tabular-classification",
            data=f"{len(train)} rows to train, {len(validation)} to validate, {len(test)} to test",
            model="tabular-mlp, scale: quantile, full",
            metric=metric,
            reference_name=trees.NAME,
            reference=found["train"][metric],
            tolerance=trees.TOLERANCE,
            note=f"Trees that learn from the validation rows too reach {found['all'][metric]:.4f}.",
            **measured[metric].figures(),
        )
        for metric in ("accuracy", "auroc")
    ]


def _read(part: str) -> list[trees.Row]:
    with gzip.open(shared("data", "adult") / f"{part}.csv.gz", "rt", newline="") as stream:
        return [{name: trees.number(text) for name, text in row.items()} for row in csv.DictReader(stream)]

"""Sentences of film reviews: their mean rating by twenty people, and its sign."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.bench.tasks import pipeline
from tests.bench.tasks.line import Line
from tests.bench.tasks.pipeline import apart, counted, held_out
from tests.bench.tasks.probe import classify, features, regress
from tests.bench.tasks.rows import shared

from tuneloop.demo.corpus import weights

CLEAR = 0.5
"""From this rating up or down a sentence has a sign."""
TUNE = {
    "strategy": "gradual-unfreezing",
    "head_epochs": 10,
    "layers_per_epoch": 6,
    "epochs": 3,
    # Frozen sentence features tell subjects apart better than feelings: much is to be learned below the head.
    "learning_rate": 2e-4,
    "layer_decay": 0.9,
    "batch_size": 32,
}


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """Accuracy of the sign, and the root mean squared error of the rating, beside linear models on frozen features."""
    text = (shared("data", "sentiment_domains") / "movies.jsonl").read_text(encoding="utf-8")
    rest, test = held_out([json.loads(line) for line in text.splitlines()], 2000)
    train, validation = held_out(rest, 1000, seed=1)
    if quick:
        train, validation, test = train[:200], validation[:80], test[:80]
    rows = apart({"train": train, "validation": validation, "test": test}, "text")
    found = {name: features(weights(), [row["text"] for row in part]) for name, part in rows.items()}
    return [_sign(rows, found, seeds, quick=quick), _rating(rows, found, seeds, quick=quick)]


def _sign(
    rows: dict[str, list[dict[str, Any]]], found: dict[str, NDArray[Any]], seeds: Sequence[int], *, quick: bool
) -> Line:
    clear = {name: [i for i, row in enumerate(part) if abs(row["rating"]) >= CLEAR] for name, part in rows.items()}
    signed = {
        name: [
            {"text": rows[name][i]["text"], "sign": "positive" if rows[name][i]["rating"] > 0 else "negative"}
            for i in at
        ]
        for name, at in clear.items()
    }
    truth = {name: [row["sign"] for row in part] for name, part in signed.items()}
    chosen = {name: found[name][at] for name, at in clear.items()}
    answers = classify(*((chosen[name], truth[name]) for name in ("train", "validation")), chosen["test"])
    measured = pipeline.measure(
        _project("text-classification", "sign", quick=quick), signed, metrics=("accuracy",), seeds=seeds
    )["accuracy"]
    return Line(
        name="movies sign",
        task="text-classification",
        data=counted(signed),
        model="MiniLM, gradual-unfreezing",
        metric="accuracy",
        reference_name="linear probe",
        reference=float(np.mean(answers == np.array(truth["test"]))),
        strict=True,
        **measured.figures(),
    )


def _rating(
    rows: dict[str, list[dict[str, Any]]], found: dict[str, NDArray[Any]], seeds: Sequence[int], *, quick: bool
) -> Line:
    rated = {name: [{"text": row["text"], "rating": row["rating"]} for row in part] for name, part in rows.items()}
    truth = {name: [row["rating"] for row in part] for name, part in rated.items()}
    answers = regress(*((found[name], truth[name]) for name in ("train", "validation")), found["test"])
    measured = pipeline.measure(
        _project("text-regression", "rating", quick=quick), rated, metrics=("rmse",), seeds=seeds
    )["rmse"]
    return Line(
        name="movies rating",
        task="text-regression",
        data=counted(rated),
        model="MiniLM, gradual-unfreezing",
        metric="rmse",
        reference_name="ridge on frozen features",
        reference=float(np.sqrt(np.mean((answers - np.array(truth["test"])) ** 2))),
        strict=True,
        **measured.figures(),
    )


def _project(task: str, label: str, *, quick: bool) -> dict[str, Any]:
    return {
        "task": task,
        "data": {"columns": {"text": "text", "label": label}},
        "model": {"base": "transformers", "checkpoint": str(weights()), "max_length": 64},
        "tune": {**TUNE, "head_epochs": 2, "epochs": 1} if quick else TUNE,
    }

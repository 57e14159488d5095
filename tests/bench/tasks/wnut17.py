"""Names in tweets and posts: trained on tweets, tested on the official test part, which comes from other sites too."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.tasks import pipeline
from tests.bench.tasks.line import Line
from tests.bench.tasks.pipeline import counted, held_out
from tests.bench.tasks.rows import shared
from tests.bench.tokens.__main__ import read
from tests.bench.tokens.plain import train_plain

from tuneloop.demo.corpus import weights

EPOCHS, RATE = 3, 3e-4


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """Entity F1 beside that of a plain `Trainer` script: same model, rows, rate, epochs and batches."""
    folder = shared("data", "wnut17")
    given, tested = read(folder / "train.jsonl"), read(folder / "test.jsonl")
    if quick:
        given, tested = given[:160], tested[:60]
    # `train_plain` leaves out the last tenth too: the platform picks its epoch by it.
    train, validation = held_out(given, len(given) - len(given) * 9 // 10)
    rows = {
        name: [{"tokens": row["tokens"], "tags": row["tags"]} for row in part]
        for name, part in (("train", train), ("validation", validation), ("test", tested))
    }
    epochs = 1 if quick else EPOCHS
    plain = [_plain([*train, *validation], tested, epochs, seed) for seed in seeds]
    project: dict[str, Any] = {
        "task": "token-classification",
        "data": {"columns": {"tokens": "tokens", "label": "tags"}},
        "model": {"base": "transformers-tokens", "checkpoint": str(weights())},
        "tune": {
            "strategy": "full", "epochs": epochs, "learning_rate": RATE, "batch_size": 16, "warmup_ratio": 0.0,
        },
    }  # fmt: skip
    measured = pipeline.measure(project, rows, metrics=("entity_f1",), seeds=seeds)["entity_f1"]
    return [
        Line(
            name="wnut17",
            task="token-classification",
            data=counted(rows, "texts"),
            model="MiniLM, full",
            metric="entity F1",
            reference_name="plain Trainer",
            reference=statistics.mean(plain),
            note=f"The plain script by seed: {', '.join(f'{value:.4f}' for value in plain)}.",
            **measured.figures(),
        )
    ]


def _plain(train: Sequence[dict[str, Any]], tested: Sequence[dict[str, Any]], epochs: int, seed: int) -> float:
    from seqeval.metrics import f1_score

    labels = sorted({tag for row in train for tag in row["tags"]})
    with tempfile.TemporaryDirectory() as folder:
        answered = train_plain(
            weights(), train, tested, labels, Path(folder), epochs=epochs, learning_rate=RATE, seed=seed
        )
    return float(f1_score([row["tags"] for row in tested], answered, zero_division=0))

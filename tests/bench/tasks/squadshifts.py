"""Questions about new Wikipedia articles; no context is in two parts."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tests.bench.answers.__main__ import read
from tests.bench.answers.plain import train_plain
from tests.bench.tasks import pipeline
from tests.bench.tasks.line import Line
from tests.bench.tasks.pipeline import counted
from tests.bench.tasks.rows import shared

from tuneloop.demo.corpus import weights

EPOCHS, RATE = 3, 2e-4
_TRAINED, _TESTED = 1500, 400


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """F1 of the answers beside that of a plain `Trainer` script: same model, rows, rate, epochs and batches."""
    rows = read(shared("data", "squadshifts"), "wiki")
    given, tested = (rows[:60], rows[-20:]) if quick else (rows[:_TRAINED], rows[-_TESTED:])
    # `train_plain` leaves out the last tenth too: the platform picks its epoch by it.
    cut = len(given) * 9 // 10
    parts = {
        name: [{column: row[column] for column in ("question", "context", "answers")} for row in part]
        for name, part in (("train", given[:cut]), ("validation", given[cut:]), ("test", tested))
    }
    epochs = 1 if quick else EPOCHS
    plain = [_plain(given, tested, epochs, seed) for seed in seeds]
    project: dict[str, Any] = {
        "task": "question-answering",
        "data": {"columns": {"question": "question", "context": "context", "label": "answers"}},
        "model": {"base": "transformers-spans", "checkpoint": str(weights()), "max_length": 256, "overlap": 64},
        "tune": {
            "strategy": "full", "epochs": epochs, "learning_rate": RATE, "batch_size": 16, "warmup_ratio": 0.0,
        },
    }  # fmt: skip
    measured = pipeline.measure(project, parts, metrics=("answer_f1",), seeds=seeds)["answer_f1"]
    return [
        Line(
            name="squadshifts",
            task="question-answering",
            data=counted(parts, "questions"),
            model="MiniLM, full",
            metric="answer F1",
            reference_name="plain Trainer",
            reference=statistics.mean(plain),
            note=f"The plain script by seed: {', '.join(f'{value:.4f}' for value in plain)}.",
            **measured.figures(),
        )
    ]


def _plain(given: Sequence[dict[str, Any]], tested: Sequence[dict[str, Any]], epochs: int, seed: int) -> float:
    from tuneloop.api import Predictions
    from tuneloop.tasks import QuestionAnswering
    from tuneloop_torchmetrics import AnswerF1

    with tempfile.TemporaryDirectory() as folder:
        answered = train_plain(weights(), given, tested, Path(folder), epochs=epochs, learning_rate=RATE, seed=seed)
    values = np.empty(len(answered), dtype=object)
    values[:] = answered
    truth = QuestionAnswering().references([row["answers"] for row in tested])
    return float(AnswerF1().compute(Predictions(values), truth))

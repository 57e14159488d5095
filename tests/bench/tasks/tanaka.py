"""Short English sentences to Japanese, by a small model without pre-trained weights; the official pairs test."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from tests.bench.tasks import pipeline
from tests.bench.tasks.line import Line
from tests.bench.tasks.rows import shared

PAIRS, VALIDATED, TESTED = 8000, 200, 200
EPOCHS, FIRST = 8, 2
MODEL = {"base": "seq2seq-small", "vocabulary": 4000, "width": 128, "layers": 2, "max_tokens": 32}
TINY = {"base": "seq2seq-small", "vocabulary": 500, "width": 32, "layers": 1, "heads": 2, "max_tokens": 16}


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """chrF beside that of the same model after a quarter of the training: it is to rise."""
    rows = {"train": _read("train", PAIRS), "validation": _read("dev", VALIDATED), "test": _read("test", TESTED)}
    if quick:
        rows = {"train": rows["train"][:300], "validation": rows["validation"][:40], "test": rows["test"][:60]}
    first, last = (1, 3) if quick else (FIRST, EPOCHS)

    def run(epochs: int) -> pipeline.Measured:
        project: dict[str, Any] = {
            "task": "translation",
            "data": {"columns": {"text": "en", "label": "ja"}},
            "model": TINY if quick else MODEL,
            "tune": {"strategy": "full", "epochs": epochs, "learning_rate": 2e-3, "batch_size": 32},
            "export": {},
        }
        return pipeline.measure(project, rows, metrics=("chrf",), seeds=seeds)["chrf"]

    early, measured = run(first), run(last)
    return [
        Line(
            name="tanaka_enja",
            task="translation",
            data=f"{len(rows['train'])} pairs to train, {len(rows['validation'])} to validate, "
            f"{len(rows['test'])} to test",
            model="seq2seq-small, full",
            metric="chrF",
            reference_name=f"epoch {first} of {last}",
            reference=statistics.mean(early.tuned),
            strict=True,
            **measured.figures(),
        )
    ]


def _read(part: str, most: int) -> list[dict[str, str]]:
    lines = (shared("data", "tanaka_enja") / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
    return [dict(zip(("en", "ja"), line.split("\t"), strict=True)) for line in lines[:most]]

"""`python -m tests.bench.answers FOLDER`: F1 and exact match of both on contexts that were held out."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def read(folder: Path, domain: str) -> list[dict[str, Any]]:
    """The rows of a domain, in an order that keeps the questions to one context together."""
    contexts = {}
    for line in (folder / f"{domain}_contexts.jsonl").read_text().splitlines():
        row = json.loads(line)
        contexts[row["cid"]] = row["context"]
    rows = [json.loads(line) for line in (folder / f"{domain}_qa.jsonl").read_text().splitlines()]
    order = {cid: place for place, cid in enumerate(np.random.default_rng(0).permutation(sorted(contexts)).tolist())}
    found = [{**row, "context": contexts[row["cid"]]} for row in rows if row["answers"]]
    return sorted(found, key=lambda row: order[row["cid"]])


def main() -> None:
    """Print a line a model and seed."""
    from tests.bench.answers.plain import train_plain
    from tests.bench.answers.tuned import train_tuned

    from tuneloop.api import Predictions
    from tuneloop.demo.corpus import weights
    from tuneloop.tasks import QuestionAnswering
    from tuneloop_torchmetrics import AnswerF1, ExactMatch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="The folder of squadshifts.")
    parser.add_argument("--domain", default="wiki")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--tested", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    rows = read(asked.data, asked.domain)
    train, test = rows[: asked.rows], rows[-asked.tested :]
    truth = QuestionAnswering().references([row["answers"] for row in test])
    for seed in asked.seeds:
        for name, fit in (("plain Trainer", train_plain), ("Tuneloop", train_tuned)):
            begun, spent = time.perf_counter(), time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                answered = fit(
                    weights(), train, test, Path(folder),
                    epochs=asked.epochs, learning_rate=asked.learning_rate, seed=seed,
                )  # fmt: skip
            seconds, processor = time.perf_counter() - begun, time.process_time() - spent
            values = np.empty(len(answered), dtype=object)
            values[:] = answered
            given = Predictions(values)
            sys.stdout.write(
                f"seed {seed}  {name:<14} F1 {AnswerF1().compute(given, truth):.4f}, exact match "
                f"{ExactMatch().compute(given, truth):.4f}  ({seconds:.0f} s, {processor:.0f} s of processor)\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()

"""`python -m tests.bench.tokens`: entity F1 of both on tweets held out, and on the test part of WNUT 2017."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    """Print a line a model and seed, and the mean of the differences."""
    from seqeval.metrics import f1_score
    from tests.bench.tokens.plain import train_plain
    from tests.bench.tokens.tuned import train_tuned

    from tuneloop.demo.corpus import weights

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="The folder with train.jsonl and test.jsonl.")
    parser.add_argument("--rows", type=int, default=3394)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    rows = read(asked.data / "train.jsonl")
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))][: asked.rows]
    cut = len(rows) * 8 // 10
    parts = {"tweets held out": rows[cut:], "test part": read(asked.data / "test.jsonl")}
    labels = sorted({tag for row in rows for tag in row["tags"]})
    tested = [row for part in parts.values() for row in part]
    gains: dict[str, list[float]] = {name: [] for name in parts}
    for seed in asked.seeds:
        scores: dict[str, dict[str, float]] = {}
        for name, train in (("plain Trainer", train_plain), ("Tuneloop", train_tuned)):
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                answered = train(
                    weights(), rows[:cut], tested, labels, Path(folder),
                    epochs=asked.epochs, learning_rate=asked.learning_rate, seed=seed,
                )  # fmt: skip
            seconds = time.perf_counter() - begun
            found, start = {}, 0
            for part, mine in parts.items():
                given = answered[start : start + len(mine)]
                found[part] = float(f1_score([row["tags"] for row in mine], given, zero_division=0))
                start += len(mine)
            scores[name] = found
            shown = ", ".join(f"{part} {value:.4f}" for part, value in found.items())
            sys.stdout.write(f"seed {seed}  {name:<14} entity F1: {shown}  ({seconds:.0f} s)\n")
            sys.stdout.flush()
        for part in parts:
            gains[part].append(scores["Tuneloop"][part] - scores["plain Trainer"][part])
    for part, values in gains.items():
        sys.stdout.write(f"Tuneloop minus plain, {part}: {statistics.mean(values):+.4f} of {len(values)} seeds\n")


if __name__ == "__main__":
    main()

"""`python -m tests.bench.train`: one table; every line is two ways in turns, in one run."""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tests.bench.numbers import Spread
from tests.bench.report import Table, print_tables, short
from tests.bench.train import memory, plain
from tests.bench.train.data import Size, tables, texts
from tests.bench.train.models import minilm, table
from tests.bench.train.rounds import Pair, compare

SEED = 3
PARTS = ("transformer", "table", "features", "lengths", "precision", "lora", "memory", "same")
MEMORIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("full", "full", {}),
    ("full, gradient_checkpointing", "full", {"gradient_checkpointing": True}),
    ("full, micro_batch_size 4", "full", {"micro_batch_size": 4}),
    ("lora", "lora", {}),
    ("lora, gradient_checkpointing", "lora", {"gradient_checkpointing": True}),
)


def fit(make: Callable[[], Any], data: Any, strategy: Any, **options: Any) -> Callable[[], Any]:
    """Training by a strategy, as something to call; gives the trained model."""

    def work() -> Any:
        model = make()
        with tempfile.TemporaryDirectory() as folder:
            strategy(strategy.Options(batch_size=32, **options)).fit(model, data, Path(folder), SEED, lambda _: None)
        return model

    return work


def bare(make: Callable[[], Any], data: Any, epochs: int, rate: float) -> Callable[[], Any]:
    """The same by hand."""
    train = plain.batches(data, data.train, 32, SEED, epochs)
    (validation,) = plain.batches(data, data.validation, 64, SEED, 1)
    return lambda: plain.train(make(), train, validation, rate)


def digest(model: Any) -> str:
    """SHA-256 of all weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()[:12]


def line(what: str, pair: Pair, figure: Spread, target: float | None, *, least: bool) -> tuple[str, ...]:
    """A row of the table."""
    wanted = "" if target is None else f"{'≥' if least else '≤'} {target:g}x"
    reached = target is None or (figure.median >= target if least else figure.median <= target)
    return (
        what,
        short(pair.first.median),
        short(pair.second.median),
        f"{figure.median:.2f}x",
        f"{figure.low:.2f} to {figure.high:.2f}",
        wanted,
        "" if target is None else "reached" if reached else "short",
    )


def main() -> None:
    """Measure, and print."""
    from tuneloop_torch import FeatureExtraction, Full, Lora
    from tuneloop_torch.device import uses_bfloat16

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="Steps of each training of the transformer.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = 32 * asked.steps
    mixed, wide, small = texts(Size(rows, 64), 64), texts(Size(rows, 64), 192), texts(Size(rows // 4, 64), 64)
    numbers = tables(Size(3200, 800))
    full, lora = (fit(minilm, mixed, strategy, epochs=1, learning_rate=1e-4) for strategy in (Full, Lora))
    mlp = fit(table, numbers, Full, epochs=20, learning_rate=1e-3)
    kind = "bfloat16" if uses_bfloat16("auto", torch.device("cpu")) else "float32 here"
    pairs: dict[str, tuple[str, Callable[[], Any], Callable[[], Any], float | None, bool]] = {
        "transformer": ("transformer: Tuneloop / bare loop", full, bare(minilm, mixed, 1, 1e-4), 1.07, False),
        "table": ("table: Tuneloop / bare loop", mlp, bare(table, numbers, 20, 1e-3), 1.5, False),
        "features": (
            "frozen backbone, 5 epochs: run each time / features kept",
            fit(minilm, small, Full, epochs=5, freeze={"names": ["backbone.*"]}),
            fit(minilm, small, FeatureExtraction, epochs=5),
            5,
            True,
        ),
        "lengths": (
            "mixed lengths: any order / grouped by length",
            fit(minilm, wide, Full, epochs=1, group_by_length=False),
            fit(minilm, wide, Full, epochs=1),
            1.4,
            True,
        ),
        "precision": (
            f"arithmetic: float32 / auto ({kind})",
            full,
            fit(minilm, mixed, Full, epochs=1, learning_rate=1e-4, precision="auto"),
            1.5,
            True,
        ),
        "lora": ("all weights / adapters (lora)", full, lora, None, True),
    }
    body = []
    for name, (what, first, second, target, least) in pairs.items():
        if name in asked.only:
            pair = compare(first, second, asked.rounds)
            body.append(line(what, pair, pair.ratio, target, least=least))
            # Each line as it comes: all of them take a while.
            sys.stderr.write(" | ".join(body[-1]) + "\n")
    head = ("what", "first, s", "second, s", "ratio", "range", "target", "")
    shown = [Table("Training, processor time of one thread", head, body)]
    if "memory" in asked.only:
        figures = [(name, short(memory.peak(strategy, options))) for name, strategy, options in MEMORIES]
        shown.append(
            Table("Memory that training takes beyond the model, 32 rows of up to 256 tokens", ("", "MiB"), figures)
        )
    if "same" in asked.only:
        works = (("transformer", fit(minilm, small, Full, epochs=1)), ("table", mlp), ("lora", lora))
        same = [(name, *(digest(work()) for _ in range(2))) for name, work in works]
        shown.append(Table("Two runs with one seed", ("", "weights", "weights"), same))
    print_tables(shown)


if __name__ == "__main__":
    main()

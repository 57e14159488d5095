"""`python -m tests.bench.launch`: one training by each launcher, on one worker and on two: losses, seconds, scaling."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.facts import load_average
from tests.bench.numbers import ratios, spread

ENTRY = "tests.bench.launch:train"
WAYS = (("local", 1), ("torchrun", 1), ("torchrun", 2), ("ray", 1), ("ray", 2))


def train(argument: Mapping[str, Any], report: Any) -> dict[str, Any]:
    """Train a small transformer on rows of mixed length: the loss of each epoch, and seconds without any start.

    Args:
        argument: `rows`, `epochs`, `batch_size`, `length`, `width`, `layers`, and `folder` for checkpoints.
        report: Told each record.
    """
    import torch
    from transformers import BertConfig, BertModel

    from tuneloop_torch import Full, processes
    from tuneloop_transformers.network import PooledClassifier

    # One core each, whoever starts it: what two bring is then the second core.
    torch.set_num_threads(1)
    torch.manual_seed(1)
    width = argument["width"]
    shape = {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": max(1, width // 32)}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = BertConfig(vocab_size=1000, num_hidden_layers=argument["layers"], **shape, **dropout)
    model = PooledClassifier(BertModel(config), 3, "mean", 0.0)
    options = Full.Options(
        epochs=argument["epochs"], batch_size=argument["batch_size"], learning_rate=1e-4, schedule="constant"
    )
    data = _data(argument["rows"], argument["length"])
    processes.wait()
    begun = time.perf_counter()
    result = Full(options).fit(model, data, Path(argument["folder"]), 1, report)
    seconds = time.perf_counter() - begun
    return {"losses": [float(record["loss"]) for record in result.history], "seconds": seconds}


def _data(rows: int, length: int) -> Any:
    import numpy as np
    from datasets import Dataset

    from tuneloop.api import Tensor, TrainingData

    def part(count: int, seed: int) -> Dataset:
        random = np.random.default_rng(seed)
        labels = random.integers(3, size=count)
        lengths = random.integers(length // 2, length + 1, count)
        ids = [random.integers(1 + 300 * label, 301 + 300 * label, n).tolist() for label, n in zip(labels, lengths)]  # noqa: B905
        mask = [[1] * len(row) for row in ids]
        columns = {"input_ids": ids, "attention_mask": mask, "labels": labels.tolist(), "length": lengths.tolist()}
        return Dataset.from_dict(columns)

    def metric(logits: Any, labels: Any) -> dict[str, float]:
        return {"accuracy": float((logits.argmax(axis=1) == labels).mean())}

    tensors = tuple(Tensor(name, "int64", ("batch", "length")) for name in ("input_ids", "attention_mask"))
    return TrainingData(part(rows, 1), part(64, 2), tensors, "cross_entropy", metric, "accuracy", True)


def run(way: tuple[str, int], asked: argparse.Namespace) -> dict[str, Any]:
    """One training by one launcher: what `train` gives, and `wall` with all starts."""
    from tuneloop.api import Job, Launcher
    from tuneloop_launch import Local, Torchrun
    from tuneloop_ray import RayLauncher

    name, workers = way
    launchers: dict[str, Launcher] = {
        "local": Local(),
        "torchrun": Torchrun(Torchrun.Options(processes=workers, threads=1)),
        "ray": RayLauncher(RayLauncher.Options(processes=workers)),
    }
    with tempfile.TemporaryDirectory() as folder:
        argument = {**vars(asked), "folder": folder}

        def ignore(record: Mapping[str, float]) -> None:
            """The losses come with the answer."""

        begun = time.perf_counter()
        found = launchers[name].run(Job(ENTRY, lambda: argument, lambda: train(argument, ignore), ignore))
        return {**found, "wall": time.perf_counter() - begun}


def main() -> None:
    """Print a line a training, then one a launcher."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 512), ("epochs", 2), ("batch-size", 32), ("length", 64), ("width", 128)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    # Ray's processes import this module, too.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    found: dict[tuple[str, int], list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(asked.rounds):
        for way in WAYS[:: 1 if number % 2 == 0 else -1]:
            one = run(way, asked)
            found[way].append(one)
            shown = ", ".join(f"{loss:.6f}" for loss in one["losses"])
            _say(
                f"round {number}  {way[0]:<8} {way[1]} worker(s)  losses {shown}  training {one['seconds']:6.2f} s, "
                f"with start {one['wall']:6.2f} s, load {load_average():.1f}"
            )
    plain = [one["seconds"] for one in found["local", 1]]
    first = found["local", 1][0]["losses"]
    for way, ones in found.items():
        off = max(abs(a - b) for one in ones for a, b in zip(one["losses"], first, strict=True))
        gain = spread(ratios(plain, [one["seconds"] for one in ones]))
        start = statistics.median(one["wall"] - one["seconds"] for one in ones)
        _say(
            f"{way[0]:<8} {way[1]} worker(s): {gain.median:.2f}x as fast as local ({gain.low:.2f} to {gain.high:.2f}, "
            f"{gain.rounds} rounds), start {start:.1f} s, losses differ by at most {off:.1e}"
        )
    for name in ("torchrun", "ray"):
        one, two = ([each["seconds"] for each in found[name, workers]] for workers in (1, 2))
        gain = spread(ratios(one, two))
        _say(f"{name:<8} 1 -> 2 workers: {gain.median:.2f}x ({gain.low:.2f} to {gain.high:.2f})")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

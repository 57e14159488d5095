"""The pictures of `fashion_mnist`, by a network that was trained on ImageNet: tuned whole, at 96 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.bench.tasks import fashion_mnist
from tests.bench.tasks.line import Line
from tests.bench.tasks.rows import shared

TUNE = {
    "strategy": "full", "epochs": 4, "learning_rate": 1e-3, "head_learning_rate": 3e-3, "batch_size": 32,
    "label_smoothing": 0.05, "augment": {"flip": True},
}  # fmt: skip


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """Accuracy beside that of the plain convolutional network of `fashion_mnist`, in the same run."""
    model = {
        "base": "efficientnet-lite0",
        "checkpoint": str(shared("models", "efficientnet-lite0")),
        "size": 32 if quick else 96,
    }
    lines = fashion_mnist.compare(model, TUNE, seeds, quick=quick)
    return [replace(line, name="fashion_mnist efficientnet", model="EfficientNet-lite0, full") for line in lines]

"""Pictures of clothes, the first 4,000 and 1,000 of Fashion-MNIST; the last tenth of the former validates."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.bench.pictures.plain import train_plain
from tests.bench.tasks import pipeline
from tests.bench.tasks.line import Line
from tests.bench.tasks.pipeline import KEY, QUARTERS, keys
from tests.bench.tasks.rows import shared

PLAIN_EPOCHS = 10
MODEL = {"base": "image-cnn", "size": 28, "channels": 1, "widths": [24, 48, 96]}
TUNE = {
    "strategy": "full", "epochs": 12, "learning_rate": 3e-3, "batch_size": 64, "label_smoothing": 0.05,
    "augment": {"flip": True, "shift": 0.07},
}  # fmt: skip
"""Those of `tests.bench.pictures`, for two epochs more."""


def measure(seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """Accuracy beside that of a plain convolutional network, which learns from the validation pictures too."""
    return compare(MODEL, TUNE, seeds, quick=quick)


def compare(model: Mapping[str, Any], tune: Mapping[str, Any], seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """Accuracy of a base model tuned so, beside that of the plain network in the same run."""
    with np.load(shared("data", "fashion_mnist_subset") / "fashion_mnist_subset.npz") as held:
        arrays = {name: held[name] for name in held.files}
    if quick:
        arrays = {name: array[:300] for name, array in arrays.items()}
    pictures, labels, tested, truth = (arrays[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    epochs = 1 if quick else PLAIN_EPOCHS
    plain = [float(np.mean(train_plain(pictures, labels, tested, epochs=epochs, seed=seed) == truth)) for seed in seeds]
    cut = len(pictures) * 9 // 10
    project: dict[str, Any] = {
        "task": "image-classification",
        "data": {
            "source": "npz",
            "path": "pictures.npz",
            "images": {"image": "pictures"},
            "columns": {"image": "image", "label": "label"},
            "split": QUARTERS,
        },
        "model": dict(model),
        "tune": {**tune, "epochs": 1} if quick else dict(tune),
    }
    measured = pipeline.measure(
        project, metrics=("accuracy",), seeds=seeds, prepare=lambda folder: _write(folder, arrays, cut)
    )["accuracy"]
    return [
        Line(
            name="fashion_mnist",
            task="image-classification",
            data=f"{cut} pictures to train, {len(pictures) - cut} to validate, {len(tested)} to test",
            model="image-cnn, full",
            metric="accuracy",
            reference_name="plain CNN",
            reference=statistics.mean(plain),
            note=f"The plain network by seed: {', '.join(f'{value:.4f}' for value in plain)}.",
            **measured.figures(),
        )
    ]


def _write(folder: Path, arrays: dict[str, NDArray[Any]], cut: int) -> None:
    # A run needs golden pictures: some of those to test again, so that none is lost for training.
    parts = [
        ("train", arrays["x_train"][:cut], arrays["y_train"][:cut]),
        ("validation", arrays["x_train"][cut:], arrays["y_train"][cut:]),
        ("test", arrays["x_test"], arrays["y_test"]),
        ("golden", arrays["x_test"][:50], arrays["y_test"][:50]),
    ]
    whole = {
        "pictures": np.concatenate([pictures for _, pictures, _ in parts]),
        "label": np.concatenate([labels for _, _, labels in parts]),
        KEY: np.array(keys([name for name, pictures, _ in parts for _ in pictures])),
    }
    np.savez(folder / "pictures.npz", **whole)

"""Features of a frozen backbone: computed once, kept in a memory-mapped file, found again after a restart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Tensor
from tuneloop_torch.device import Precision, training_device
from tuneloop_torch.inference import gather, run_batches
from tuneloop_torch.processes import gathered, is_first
from tuneloop_torch.rows import Rows

FEATURES = "features"


def compute_features(
    model: Any, rows: Rows, tensors: Sequence[Tensor], batch_size: int, precision: Precision = "float32"
) -> NDArray[np.float32]:
    """What the head reads of every row, `float32 [n, width]`, or `[n, places, width]` where words have a label each.

    The model is in evaluation mode meanwhile.
    """
    device = training_device()
    training = model.training
    model.to(device).eval()
    try:
        return gather(run_batches(model.features, rows, tensors, batch_size, device, precision), len(rows))
    finally:
        model.train(training)


def cached_features(
    model: Any,
    rows: Rows,
    tensors: Sequence[Tensor],
    batch_size: int,
    path: Path,
    precision: Precision = "float32",
) -> Rows:
    """Rows whose one column is `features`, read from `path` if an earlier call wrote it whole.

    The file appears under its name only when it is complete, so a killed call leaves none.
    """
    features = _read(path, len(rows))
    if not all(gathered(features is not None)):
        features = compute_features(model, rows, tensors, batch_size, precision)
        if is_first():
            _write(path, features)
            features = np.load(path, mmap_mode="r", allow_pickle=False)
    assert features is not None
    return Rows({FEATURES: features}, rows.labels, np.zeros(len(rows), np.int64), rows.teacher)


def _write(path: Path, features: NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, features, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def feature_tensor(rows: Rows) -> Tensor:
    """The one tensor of rows from `cached_features`."""
    return Tensor(FEATURES, "float32", ("batch", *map(int, np.shape(rows.columns[FEATURES])[1:])))


def _read(path: Path, count: int) -> NDArray[np.float32] | None:
    if not path.is_file():
        return None
    features: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return features if len(features) == count else None

"""Rows to a batch: tensors with a symbolic axis are padded to the longest row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuneloop.api import Tensor
from tuneloop_torch.rows import LABELS


class Collator:
    """Callable for torch's DataLoader."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tuple(tensors)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One tensor a model input, batch first, and `labels [batch]`."""
        batch = {
            tensor.name: torch.from_numpy(stack([row[tensor.name] for row in rows], tensor)) for tensor in self._tensors
        }
        batch[LABELS] = torch.from_numpy(np.stack([row[LABELS] for row in rows]))
        return batch


def stack(rows: Sequence[NDArray[Any]], tensor: Tensor) -> NDArray[Any]:
    """Rows as one array; shorter rows are filled with `tensor.pad` at the end of their symbolic axes."""
    if all(isinstance(size, int) for size in tensor.shape[1:]):
        return np.stack(rows).astype(tensor.dtype, copy=False)
    shape = tuple(
        max(row.shape[axis] for row in rows) if isinstance(size, str) else size
        for axis, size in enumerate(tensor.shape[1:])
    )
    batch = np.full((len(rows), *shape), tensor.pad, dtype=tensor.dtype)
    for position, row in enumerate(rows):
        target: NDArray[Any] = batch[position]
        target[tuple(slice(size) for size in row.shape)] = row
    return batch

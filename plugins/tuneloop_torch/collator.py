"""Rows to a batch: tensors with a symbolic axis are padded to the longest row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuneloop.api import Tensor
from tuneloop_torch.rows import LABELS, TEACHER, Rows


class Collator:
    """Callable for torch's DataLoader."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tuple(tensors)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One tensor a model input, batch first, `labels [batch]`, and `teacher [batch, k]` where rows have it."""
        batch = {
            tensor.name: torch.from_numpy(stack([row[tensor.name] for row in rows], tensor)) for tensor in self._tensors
        }
        for name in (LABELS, TEACHER):
            if name in rows[0]:
                batch[name] = torch.from_numpy(np.stack([row[name] for row in rows]))
        return batch

    def batch(self, rows: Rows, positions: Sequence[int]) -> dict[str, torch.Tensor]:
        """The rows at these positions, as a call with these rows gives them; columns of one size are cut at once."""
        place = np.asarray(positions)
        batch = {}
        for tensor in self._tensors:
            column = rows.columns[tensor.name]
            if isinstance(column, np.ndarray):
                array = np.asarray(column[place]).astype(tensor.dtype, copy=False)
            else:
                array = stack([column[row] for row in positions], tensor)
            batch[tensor.name] = torch.from_numpy(array)
        batch[LABELS] = torch.from_numpy(rows.labels[place])
        if rows.teacher is not None:
            batch[TEACHER] = torch.from_numpy(rows.teacher[place])
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

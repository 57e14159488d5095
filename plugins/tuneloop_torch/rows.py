"""Encoded rows in memory, as torch's DataLoader reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import PluginError, Tensor

if TYPE_CHECKING:
    from datasets import Dataset

LABELS, LENGTH, TEACHER = "labels", "length", "teacher"


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns by tensor name (one array a row, unpadded), labels `[n]` or `[n, words]`, and lengths `int64 [n]`.

    `teacher` holds the logits of a model to learn from, `float32 [n, k]` or `[n, words, k]`.
    """

    columns: Mapping[str, Sequence[NDArray[Any]] | NDArray[Any]]
    labels: NDArray[Any]
    lengths: NDArray[np.int64]
    teacher: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """One row: an array a tensor, its label, and its teacher's logits where there are any."""
        found = {**{name: values[row] for name, values in self.columns.items()}, LABELS: self.labels[row]}
        if self.teacher is not None:
            found[TEACHER] = self.teacher[row]
        return found

    def select(self, positions: NDArray[np.int64]) -> Rows:
        """The rows at these positions, in this order."""
        columns = {
            name: values[positions] if isinstance(values, np.ndarray) else [values[row] for row in positions]
            for name, values in self.columns.items()
        }
        teacher = None if self.teacher is None else self.teacher[positions]
        return Rows(columns, self.labels[positions], self.lengths[positions], teacher)


def read_rows(data: Dataset, tensors: Sequence[Tensor]) -> Rows:
    """Bring an encoded data set into memory.

    Raises:
        PluginError: A tensor has no column.
    """
    absent = [tensor.name for tensor in tensors if tensor.name not in data.column_names]
    if absent:
        raise PluginError(f"the encoded rows lack {', '.join(absent)}; they have: {', '.join(data.column_names)}")
    table = data.with_format("arrow")[:]
    columns = {tensor.name: _arrays(table[tensor.name], tensor) for tensor in tensors}
    count = len(data)
    labels = _labels(table[LABELS]) if LABELS in data.column_names else np.zeros(count, np.int64)
    lengths = table[LENGTH].to_numpy() if LENGTH in data.column_names else np.zeros(count, np.int64)
    teacher = np.asarray(data.with_format("numpy")[TEACHER], np.float32) if TEACHER in data.column_names else None
    return Rows(columns, labels, lengths.astype(np.int64), teacher)


def _labels(column: Any) -> NDArray[Any]:
    """`[n]`, or `[n, words]` where a row has a label for each word."""
    import pyarrow

    if not pyarrow.types.is_fixed_size_list(column.type):
        return np.array(column.to_numpy())
    flat = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks])
    return flat.reshape(len(column), column.type.list_size)


def _arrays(column: Any, tensor: Tensor) -> Sequence[NDArray[Any]] | NDArray[Any]:
    """One array a row; rows of a fixed size stay one array."""
    import pyarrow

    dtype = np.dtype(tensor.dtype)
    joined = column.combine_chunks()
    if isinstance(joined, pyarrow.ChunkedArray):
        joined = pyarrow.concat_arrays(joined.chunks) if joined.num_chunks else pyarrow.array([], joined.type)
    kind = joined.type
    if len(tensor.shape) == 1:
        return np.asarray(joined.to_numpy(zero_copy_only=False)).astype(dtype)
    flat_list = pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind)
    if len(tensor.shape) == 2 and flat_list:
        values = joined.flatten().to_numpy(zero_copy_only=False).astype(dtype)
        ends = np.cumsum(joined.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64))
        if isinstance(tensor.shape[1], int):
            fixed: NDArray[Any] = values.reshape(len(joined), tensor.shape[1])
            return fixed
        return list(np.split(values, ends[:-1])) if len(joined) else []
    if all(isinstance(size, int) for size in tensor.shape[1:]):
        # Lists of lists to Python objects and back would take a second for a few hundred spectrograms.
        while pyarrow.types.is_list(joined.type) or pyarrow.types.is_large_list(joined.type):
            joined = joined.flatten()
        whole: NDArray[Any] = joined.to_numpy(zero_copy_only=False).astype(dtype)
        return whole.reshape(-1, *map(int, tensor.shape[1:]))
    return [np.asarray(row, dtype=dtype) for row in joined.to_pylist()]

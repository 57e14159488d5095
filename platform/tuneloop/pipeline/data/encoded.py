"""Rows encoded for training: a data set with a column a tensor, `labels` and `length`; made once, kept as Arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Arrays, Columns, DataError, Encoded, Preprocessor, RequestError, Row, Tensor

if TYPE_CHECKING:
    from datasets import Dataset

FILE = "file"
"""Where sources of files say which one a row was."""


def check_rows(
    preprocessor: Preprocessor, rows: Sequence[Row], first: int = 0, called: Callable[[int], str] | None = None
) -> list[Row]:
    """Rows of the project's data, checked.

    Args:
        preprocessor: What they have to fit.
        rows: Input columns alone.
        first: The number of the first one among all.
        called: What people call the row at a place of `rows`, such as the name of its file; by default its number.

    Raises:
        DataError: A row does not fit the preprocessor; names it.
    """
    try:
        return preprocessor.check(rows)
    except RequestError as error:
        where = None if error.row is None else error.row + first
        said = RequestError(error.reason, field=error.field, row=where)
        name = called(error.row) if called is not None and error.row is not None else ""
        raise DataError(f"a row of the data cannot be used: {said}{name and f' ({name})'}") from error


def names_of(data: Dataset, columns: Columns) -> Callable[[int], str]:
    """What people call the rows: the file each was read from, and its key, where the data have them."""
    known = [name for name in dict.fromkeys((FILE, columns.key)) if name in data.column_names]
    return lambda place: ", ".join(f"{name} {data[place][name]!r}" for name in known)


def encode_rows(preprocessor: Preprocessor, rows: Sequence[Row]) -> list[Encoded]:
    """Check and encode rows of the project's data.

    Raises:
        DataError: A row does not fit the preprocessor; names it.
    """
    return preprocessor.encode(check_rows(preprocessor, rows))


def as_dataset(encoded: Sequence[Encoded], labels: NDArray[Any], tensors: Sequence[Tensor]) -> Dataset:
    """Encoded rows in row order, one column a tensor (unpadded), then `labels` and `length`."""
    from datasets import Dataset, Features, List, Value

    columns: dict[str, list[Any]] = {tensor.name: [None] * len(labels) for tensor in tensors}
    lengths = [0] * len(labels)
    for group in encoded:
        for tensor in tensors:
            for position, values in zip(group.rows, group.inputs[tensor.name], strict=True):
                columns[tensor.name][position] = values
        for position in group.rows:
            lengths[position] = group.length
    features = {tensor.name: _feature(tensor) for tensor in tensors}
    label: Any = Value(str(labels.dtype))
    features["labels"] = label if labels.ndim == 1 else List(label, labels.shape[1])
    features["length"] = Value("int64")
    return Dataset.from_dict({**columns, "labels": labels, "length": lengths}, features=Features(features))


def _feature(tensor: Tensor) -> Any:
    from datasets import List, Value

    feature: Any = Value(tensor.dtype)
    for _ in tensor.shape[1:]:
        feature = List(feature)
    return feature


def padded(encoded: Sequence[Encoded], tensors: Sequence[Tensor], positions: Sequence[int]) -> Arrays:
    """Some rows as one batch, padded to the longest: the example an exporter traces.

    Args:
        encoded: Groups of encoded rows.
        tensors: The model inputs.
        positions: The rows wanted, in order.
    """
    place = {p: (group, i) for group in encoded for i, p in enumerate(group.rows)}
    rows = [{n: array[place[p][1]] for n, array in place[p][0].inputs.items()} for p in positions]
    batch: Arrays = {}
    for tensor in tensors:
        values = [row[tensor.name] for row in rows]
        sizes = [
            # A symbolic axis of size 1 would be traced as a fixed one.
            max(2, *(value.shape[axis] for value in values)) if isinstance(size, str) else size
            for axis, size in enumerate(tensor.shape[1:])
        ]
        batch[tensor.name] = np.stack([_pad(value, sizes, tensor.pad) for value in values]).astype(tensor.dtype)
    return batch


def _pad(value: NDArray[Any], sizes: Sequence[int], fill: float) -> NDArray[Any]:
    widths = [(0, size - found) for size, found in zip(sizes, value.shape, strict=True)]
    return np.pad(value, widths, constant_values=fill)

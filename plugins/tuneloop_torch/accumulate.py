"""One batch in parts whose losses add up to that of the whole. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from tuneloop_torch.rows import LABELS

WHOLE = "whole_batch_labels"
"""The key of a part that holds the labels of all rows of its batch: what its loss is a share of."""


def parts(batch: dict[str, Any], size: int | None) -> Iterator[dict[str, torch.Tensor]]:
    """The batch as it is where it has no more rows than `size`, else in parts of that many rows.

    Args:
        batch: Tensors whose first axis is the rows.
        size: None: never cut.
    """
    rows = len(batch[LABELS])
    if size is None or rows <= size:
        yield batch
        return
    for start in range(0, rows, size):
        yield {
            **{name: tensor[start : start + size] for name, tensor in batch.items()},
            WHOLE: batch.get(WHOLE, batch[LABELS]),
        }

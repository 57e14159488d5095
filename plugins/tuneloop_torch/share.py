"""One process's share of each batch, so that several take the steps that one would. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from tuneloop_torch.accumulate import WHOLE, parts
from tuneloop_torch.collator import Collator
from tuneloop_torch.processes import count, dealt
from tuneloop_torch.rows import LABELS, Rows
from tuneloop_torch.sampler import EpochSampler

IDLE = "idle"
"""The key of a part that only stands in for rows: a process without any must take part in the step, too."""

_Share = tuple[list[dict[str, Any]], Any, bool]


class _Shares:
    """Rows as torch's DataLoader asks for those of a batch: this process's, and the labels of all."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, positions: Sequence[int]) -> _Share:
        own = dealt(positions)
        # An empty share: one row of the others stands in, and counts for nothing.
        return [self._rows[row] for row in own or positions[:1]], self._rows.labels[np.asarray(positions)], not own


class _Batches(Sampler[list[int]]):
    """Batches of an epoch's order, the same in each process."""

    def __init__(self, order: EpochSampler, size: int) -> None:
        self._order, self._size = order, size

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; the loop calls it before each epoch."""
        self._order.set_epoch(epoch)

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._size)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self._order)
        return (order[start : start + self._size] for start in range(0, len(order), self._size))


class ShareLoader(DataLoader[Any]):
    """This process's share of each batch, with the labels of the whole one under `WHOLE`.

    Whatever the batch size and the number of processes, each row is in one share, and every process takes as many
    steps as one alone would.
    """

    def __init__(self, rows: Rows, collator: Collator, order: EpochSampler, batch_size: int) -> None:
        self.batches = _Batches(order, batch_size)

        def collate(share: _Share) -> dict[str, torch.Tensor]:
            own, labels, idle = share
            batch = {**collator(own), WHOLE: torch.from_numpy(np.asarray(labels))}
            return {**batch, IDLE: torch.ones(len(own), dtype=torch.bool)} if idle else batch

        super().__init__(_Shares(rows), batch_sampler=self.batches, collate_fn=collate)  # type: ignore[arg-type]

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; the loop calls it before each epoch."""
        self.batches.set_epoch(epoch)


def equal_parts(batch: dict[str, Any], size: int | None) -> list[dict[str, torch.Tensor]]:
    """The share in parts of `size` rows, as many in each process: those with fewer rows have idle ones at the end."""
    found = list(parts(batch, size))
    if count() == 1 or size is None:
        return found
    most = math.ceil(math.ceil(len(batch[WHOLE]) / count()) / size)
    spare = {name: tensor if name == WHOLE else tensor[:1] for name, tensor in batch.items()}
    spare[IDLE] = torch.ones(len(spare[LABELS]), dtype=torch.bool)
    return found + [spare] * (most - len(found))

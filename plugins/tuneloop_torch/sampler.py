"""Row order as a function of seed and epoch alone, so that a resumed run sees exactly the rows it would have seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

_MEGABATCH = 50
"""Batches that are sorted by length together, at most: more means less padding, fewer a more random order."""
_LEAST_PARTS = 4
"""Parts that few rows are cut into, each sorted by itself: sorted all together, rows of one length would always meet,
and a small data set would be learned worse. The rule is that of transformers' own length grouping."""


class EpochSampler(Sampler[int]):
    """A fresh random order each epoch; rows of similar length share a batch where lengths differ."""

    def __init__(self, lengths: NDArray[np.int64], batch_size: int, seed: int, *, group: bool) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._group = group and len(lengths) > 0 and int(lengths.min()) != int(lengths.max())
        self._epoch = 0

    @property
    def batch_size(self) -> int:
        """Rows a batch; the last one of an epoch may have fewer."""
        return self._batch_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; the loop calls it before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self._epoch))

    def order(self, epoch: int) -> list[int]:
        """Row positions in the order of one epoch."""
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + epoch) % 2**63)
        shuffled: list[int] = torch.randperm(len(self._lengths), generator=generator).tolist()
        if not self._group:
            return shuffled
        fitting = len(shuffled) // (self._batch_size * _LEAST_PARTS)
        size = self._batch_size * max(1, min(_MEGABATCH, fitting))
        ordered: list[int] = []
        for start in range(0, len(shuffled), size):
            ordered += sorted(shuffled[start : start + size], key=lambda row: -int(self._lengths[row]))
        batches = [ordered[start : start + self._batch_size] for start in range(0, len(ordered), self._batch_size)]
        # A short batch anywhere but at the end would shift the borders of all that follow.
        tail = batches.pop() if len(batches[-1]) < self._batch_size else []
        mixed = torch.randperm(len(batches), generator=generator).tolist()
        return [row for batch in mixed for row in batches[batch]] + tail

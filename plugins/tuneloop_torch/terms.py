"""A batch in parts whose mean is over terms that only the forward passes tell, such as tokens. Imports torch.

Each part gives the sum of its terms by row of the batch. Once all parts of all processes have been seen, their number
is known, and what was summed up becomes the mean: every term weighs the same, however rows fell into parts.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from tuneloop_torch import processes


class Terms:
    """The terms of this process's parts of one batch."""

    def __init__(self) -> None:
        self._count: int | None = None

    def add(self, count: int | None, *, idle: bool) -> None:
        """Those of one more part, which count for nothing where it is idle; None: labels tell how many there are."""
        if count is not None:
            self._count = (self._count or 0) + (0 if idle else count)

    def to_mean(self, losses: list[torch.Tensor], parameters: Iterable[torch.nn.Parameter], rows: int) -> None:
        """Turn sums by row, and their gradients, into means over all terms, in place; then count anew.

        Args:
            losses: Of each part.
            parameters: Those with gradients of all parts.
            rows: Of the batch, over all processes.
        """
        count, self._count = self._count, None
        if count is None:
            return
        factor = rows / max(processes.add_up(float(count)), 1.0)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for tensor in (*losses, *gradients):
            tensor.mul_(factor)

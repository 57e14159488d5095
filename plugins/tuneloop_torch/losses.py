"""Logits and labels to the loss that is minimised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tuneloop.api import ABSENT, NO_PLACE

UNKNOWN = -1
"""The label of a row whose class the model does not have; such rows have no loss."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Cross entropy over classes, or the mean squared error of the one output."""

    kind: Literal["cross_entropy", "mse"]
    label_smoothing: float = 0.0
    class_weights: torch.Tensor | None = None

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """A scalar: the mean over rows with a known label; zero where there are none.

        Args:
            logits: `[n, k]`; or `[n, places, k]`, where places that hold no word are filled with `ABSENT`.
            labels: `int64 [n]` positions, or `float [n]` values; `int64 [n, words]` for places, with `NO_PLACE` behind
                a row's last word.
        """
        logits = logits.float()
        if logits.ndim == 3:
            # Both are read row by row: the words of a row stand in one order in its places and in its labels.
            logits, labels = logits[logits[..., 0] > ABSENT / 2], labels[labels != NO_PLACE]
        if self.kind == "mse":
            return functional.mse_loss(logits[:, 0], labels.to(logits.dtype))
        if not bool((labels != UNKNOWN).any()):
            return logits.sum() * 0.0
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        return functional.cross_entropy(
            logits, labels, weight=weights, ignore_index=UNKNOWN, label_smoothing=self.label_smoothing
        )


def balanced_weights(labels: NDArray[np.int64], classes: int) -> torch.Tensor:
    """`float32 [classes]`: rows / (classes present * rows of the class); 1 for a class without rows."""
    counts = np.bincount(labels[labels >= 0], minlength=classes).astype(np.float64)
    present = counts > 0
    weights = np.ones(classes)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return torch.from_numpy(weights.astype(np.float32))

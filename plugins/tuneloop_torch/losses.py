"""Logits and labels to the loss that is minimised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tuneloop.api import ABSENT, NO_PLACE, LossName
from tuneloop_torch.ctc import ctc

UNKNOWN = -1
"""The label of a row whose class the model does not have; such rows have no loss."""

_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Loss:
    """What is minimised: cross entropy over classes, places, labels or texts in frames, or the mean squared error."""

    kind: LossName
    label_smoothing: float = 0.0
    class_weights: torch.Tensor | None = None

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, whole: torch.Tensor | None = None) -> torch.Tensor:
        """A scalar: the mean over rows with a known label; zero where there are none.

        Args:
            logits: `[n, k]`; or `[n, places, k]`, where places that hold no word are filled with `ABSENT`.
            labels: `int64 [n]` positions, or `float [n]` values; `int64 [n, words]` for places, with `NO_PLACE` behind
                a row's last word; `float [n, k]` of 0 and 1 for `binary_cross_entropy`; `int64 [n, 2]` for `span`;
                `int64 [n, characters]` for `ctc`.
            whole: The labels of all rows of the batch of which these are a part: the parts' losses then add up to that
                of the batch; or where `terms` counts what the mean is over, to that sum by row. None: these are all.
        """
        share = 1.0 if whole is None else self.mass(labels) / max(self.mass(whole), _SMALLEST)
        logits = logits.float()
        if self.kind == "likelihood":
            # The logits are the log-probabilities of the right tokens already.
            right = logits[logits > ABSENT / 2]
            if whole is not None:
                return -right.sum() / len(whole)
            return -right.mean() if right.numel() else logits.sum() * 0.0
        if self.kind == "span":
            return _span(logits, labels) * share
        if self.kind == "ctc":
            return ctc(logits, labels) * share
        if self.kind == "binary_cross_entropy":
            soft = labels.to(logits.dtype) * (1 - self.label_smoothing) + self.label_smoothing / 2
            more = None if self.class_weights is None else self.class_weights.to(logits.device)
            return functional.binary_cross_entropy_with_logits(logits, soft, pos_weight=more) * share
        if logits.ndim == 3:
            # Both are read row by row: the words of a row stand in one order in its places and in its labels.
            logits, labels = logits[logits[..., 0] > ABSENT / 2], labels[labels != NO_PLACE]
        if self.kind == "mse":
            return functional.mse_loss(logits[:, 0], labels.to(logits.dtype)) * share
        if not bool((labels != UNKNOWN).any()):
            return logits.sum() * 0.0
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        found: torch.Tensor = functional.cross_entropy(
            logits, labels, weight=weights, ignore_index=UNKNOWN, label_smoothing=self.label_smoothing
        )
        return found * share

    def terms(self, logits: torch.Tensor) -> int | None:
        """How many terms the mean is over, where logits alone say it: the right tokens; None where labels say it."""
        return int((logits > ABSENT / 2).sum()) if self.kind == "likelihood" else None

    def mass(self, labels: torch.Tensor) -> float:
        """What the mean over these labels divides by: their number, or the sum of the weights of their classes."""
        if self.kind in ("mse", "binary_cross_entropy"):
            return float(labels.numel())
        if self.kind == "span":
            return float((labels[:, 0] >= 0).sum())
        if self.kind == "ctc":
            return float(len(labels))
        known = labels[labels >= 0]
        if self.class_weights is None:
            return float(known.numel())
        return float(self.class_weights.to(known.device)[known].sum())


def _span(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy over the places of a row, the mean of that of its first and that of its last one.

    Args:
        logits: `[n, places, 2]`; places that hold nothing are filled with `ABSENT`, so that they get no probability.
        labels: `int64 [n, 2]`, counted among the places that hold something; -1: no loss.
    """
    held = logits[..., 0] > ABSENT / 2
    rank = held.cumsum(dim=1) - 1
    losses = []
    for edge in range(2):
        right = held & (rank == labels[:, edge : edge + 1])
        known = right.any(dim=1)
        chances = functional.log_softmax(logits[..., edge], dim=1)
        losses.append(-chances[known][right[known]])
    found = torch.cat(losses)
    return found.mean() if found.numel() else logits[held].sum() * 0.0


def label_weights(labels: NDArray[np.floating]) -> torch.Tensor:
    """`float32 [k]`: for each of `k` labels how many rows are without it to one that has it; 1 where none has it."""
    having = labels.sum(axis=0, dtype=np.float64)
    weights = np.ones(labels.shape[1])
    weights[having > 0] = ((len(labels) - having) / np.maximum(having, 1))[having > 0]
    return torch.from_numpy(np.maximum(weights, 1e-3).astype(np.float32))


def balanced_weights(labels: NDArray[np.int64], classes: int) -> torch.Tensor:
    """`float32 [classes]`: rows / (classes present * rows of the class); 1 for a class without rows."""
    counts = np.bincount(labels[labels >= 0], minlength=classes).astype(np.float64)
    present = counts > 0
    weights = np.ones(classes)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return torch.from_numpy(weights.astype(np.float32))

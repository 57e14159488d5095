"""Signals of models whose answer is a part of a text, and the entropy of labels that are decided one by one."""

# `create` has the interface's arguments, of which each signal needs only some.
# ruff: noqa: ARG003
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, Column, Signal, SignalBatch, Tensor


def finds_spans(output_names: Sequence[str]) -> bool:
    """Whether a model with these outputs says where an answer begins and ends."""
    return tuple(output_names) == ("start", "end")


def binary_entropy(logits: NDArray[Any]) -> NDArray[np.float64]:
    """The entropy of decisions to apply a label or not, in nats, `float64 [n]`: the mean over the labels.

    Args:
        logits: `float64 [n, labels]`.
    """
    # -p ln p - (1 - p) ln(1 - p) of p = 1 / (1 + exp(-x)) is ln(1 + exp(x)) - p x, and even in x.
    sizes = np.abs(logits)
    tail = np.exp(-sizes)
    found: NDArray[np.float64] = (np.log1p(tail) + sizes * tail / (1.0 + tail)).mean(axis=1)
    return found


class SpanSignal(Signal):
    """A number read from an answer that is a part of its row."""

    kind = "number"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal where answers begin and end in a text."""
        return [cls()] if finds_spans(output_names) else []


class SpanEntropy(SpanSignal):
    """How undecided the model was where an answer begins and where it ends: the mean of both entropies, in nats."""

    name, label = "span-entropy", "entropy"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`, 0 to ln(tokens of the text)."""
        logits = batch.outputs["logits"].astype(np.float64)
        # Places that hold nothing get no probability: their logits are far below all others.
        shifted = np.maximum(logits - logits.max(axis=1, keepdims=True), ABSENT)
        weights = np.exp(shifted)
        total = weights.sum(axis=1)
        entropy: NDArray[Any] = np.log(total) - (weights * shifted).sum(axis=1) / total
        found: NDArray[Any] = np.maximum(entropy, 0.0).mean(axis=1)
        return found


class AnswerLength(SpanSignal):
    """How long an answer is, in characters."""

    name, label = "answer-length", "answer_length"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`; NaN where there is none."""
        answers = (answer.get("answer") for answer in batch.answers)
        return np.array([len(text) if isinstance(text, str) else np.nan for text in answers], dtype=np.float64)


class AnswerPlace(SpanSignal):
    """Where an answer begins in its text, in characters."""

    name, label = "answer-place", "answer_place"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`; NaN where there is none."""
        starts = (answer.get("start") for answer in batch.answers)
        return np.array([start if isinstance(start, int) else np.nan for start in starts], dtype=np.float64)

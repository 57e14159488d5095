"""Signals of models that generate text: how long their answers are, how sure each token, and why they end."""

# `create` has the interface's arguments, of which each signal needs only some.
# ruff: noqa: ARG003
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import SCORED, Column, Signal, SignalBatch, Tensor


def generates(tensors: Sequence[Tensor]) -> bool:
    """Whether a model with these inputs writes a text."""
    return any(tensor.name == SCORED for tensor in tensors)


class _OfTexts(Signal):
    """A signal that only models that generate have."""

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal for a model that generates."""
        return [cls()] if generates(tensors) else []


class AnswerTokens(_OfTexts):
    """The number of tokens of an answer."""

    name, kind, label = "answer-tokens", "number", "answer_tokens"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`."""
        return np.array([answer.get("completion_tokens", np.nan) for answer in batch.answers], dtype=np.float64)


class TokenEntropy(_OfTexts):
    """How undecided the model was: the mean entropy of the distributions its tokens were chosen from, in nats."""

    name, kind, label = "token-entropy", "number", "token_entropy"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`; NaN where only given tokens were scored."""
        found = batch.outputs.get("entropy")
        if found is None:
            return np.full(len(batch.rows), np.nan)
        return found[:, 0].astype(np.float64)


class FinishReason(_OfTexts):
    """Why an answer ends: more of `length` means that the model finds no end."""

    name, kind, label = "finish-reason", "category", "finish_reason"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`object [n]` of texts."""
        found = np.empty(len(batch.answers), dtype=object)
        found[:] = [answer.get("finish_reason") for answer in batch.answers]
        return found

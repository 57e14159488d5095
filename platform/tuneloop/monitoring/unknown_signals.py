"""How much of a row the model has never met: unknown tokens of a text, unseen categories of a table."""

# `create` has the interface's arguments, of which each signal needs only some.
# ruff: noqa: ARG003
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Column, Signal, SignalBatch, Tensor


class UnknownRate(Signal):
    """The share of a row's tokens, or of its categories, that the model does not know from training.

    One new word or category is rare in each of many; together they show. A category that is missing counts as known.
    """

    name, kind, label = "unknown-rate", "number", "unknown_rate"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal where a model input has a token for what is unknown, or a request has category columns."""
        tokens = {tensor.name: tensor.unknown for tensor in tensors if tensor.unknown is not None}
        known = {column.name: frozenset(column.categories) for column in columns if column.categories}
        return [cls(tokens, known)] if tokens or known else []

    def __init__(self, tokens: Mapping[str, int], known: Mapping[str, frozenset[str]]) -> None:
        super().__init__()
        self.tokens, self.known = tokens, known

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`, 0 to 1."""
        if self.known:
            return np.array([self._unseen(row) for row in batch.rows], dtype=np.float64)
        found = np.full(len(batch.rows), np.nan)
        for group in batch.encoded:
            rows = len(group.rows)
            # An input may have windows beside its length.
            shares = [(group.inputs[n].reshape(rows, -1) == token).mean(axis=1) for n, token in self.tokens.items()]
            found[list(group.rows)] = np.mean(shares, axis=0)
        return found

    def _unseen(self, row: Mapping[str, Any]) -> float:
        unseen = 0
        for name, known in self.known.items():
            value = row.get(name)
            unseen += value is not None and str(value) not in known
        return unseen / len(self.known)

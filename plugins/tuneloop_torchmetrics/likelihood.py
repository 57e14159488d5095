"""Metrics of language models: how probable they find the right tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, DataError, Metric, Predictions


class Perplexity(Metric):
    """The exponential of the mean negative log-probability of the right tokens, over all tokens of all rows; 1 at best.

    It depends on what a token is: compare models of one tokenizer alone.
    """

    name, maximize = "perplexity", False
    kinds = frozenset({"generation"})

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The value over all tokens.

        Raises:
            DataError: There is none, or its mean cannot be computed.
        """
        sums = self.parts(predictions, references).sum(axis=0, keepdims=True)
        if not sums[0, 1]:
            raise DataError(f"metric {self.name!r} cannot be computed on 0 tokens")
        value = float(self.joined(sums)[0])
        if not np.isfinite(value):
            raise DataError(f"metric {self.name!r} is {value} on these {int(sums[0, 1])} tokens")
        return value

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64]:  # noqa: ARG002
        """The sum of log-probabilities, and the number of tokens."""
        held = predictions.values > ABSENT / 2
        sums = np.where(held, predictions.values, 0.0).sum(axis=1, dtype=np.float64)
        return np.stack([sums, held.sum(axis=1)], axis=1).astype(np.float64)

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The metric of sums; NaN where there are no tokens."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found: NDArray[np.float64] = np.exp(-sums[:, 0] / sums[:, 1])
        return found

"""Metrics of answers that are texts: the F1 over words and the exact match of SQuAD, as torchmetrics computes them."""

from __future__ import annotations

import functools
import importlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, Metric, MissingExtraError, Predictions

_KEPT = 1 << 16
"""Pairs whose score is remembered: a bootstrap asks for the same ones hundreds of times."""


class AnswerMetric(Metric):
    """A score of one answer against the texts that are right, averaged over rows."""

    maximize = True
    kinds = frozenset({"span"})
    part: ClassVar[str]

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The mean over all rows, 0 to 1.

        Raises:
            DataError: There are no rows.
            MissingExtraError: torchmetrics is not installed.
        """
        if not len(references):
            raise DataError(f"metric {self.name!r} cannot be computed on 0 rows")
        return float(self.joined(self.parts(predictions, references).sum(axis=0)[None])[0])

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64]:
        """The score of each row, and 1."""
        try:
            found = [
                _scores(answer, tuple(right) if isinstance(right, tuple) else ())[self.part]
                for answer, right in zip(predictions.values.tolist(), references.tolist(), strict=True)
            ]
        except ImportError as error:
            raise MissingExtraError(f"metric {self.name!r}", error.name or "torchmetrics", "train") from error
        return np.stack([np.array(found, dtype=np.float64), np.ones(len(found))], axis=1)

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean score."""
        means: NDArray[np.float64] = sums[:, 0] / sums[:, 1]
        return means


class AnswerF1(AnswerMetric):
    """The F1 over the words that an answer and a right text share; the best of the right texts counts."""

    name, part = "answer_f1", "f1"


class ExactMatch(AnswerMetric):
    """The share of answers that are a right text, apart from case, marks and articles."""

    name, part = "exact_match", "exact_match"


@functools.lru_cache(maxsize=_KEPT)
def _scores(answer: str, right: tuple[str, ...]) -> dict[str, float]:
    """Both scores of one answer, 0 to 1; 0 where nothing is right."""
    if not right:
        return {"f1": 0.0, "exact_match": 0.0}
    squad = importlib.import_module("torchmetrics.functional.text").squad
    truth = {"id": "0", "answers": {"text": list(right), "answer_start": [0] * len(right)}}
    found = squad([{"id": "0", "prediction_text": answer}], [truth])
    return {name: float(value) / 100.0 for name, value in found.items()}

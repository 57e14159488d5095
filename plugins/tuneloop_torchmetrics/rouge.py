"""Metrics of summaries: ROUGE, the mean over rows of the words shared with a right text."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, Metric, MissingExtraError, Predictions


class Rouge(Metric):
    """The F1 of what a text shares with a right one, 0 to 1; of several right texts the best counts."""

    maximize = True
    kinds = frozenset({"text"})
    key: ClassVar[str]

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The mean over all rows.

        Raises:
            DataError: There are no rows.
            MissingExtraError: torchmetrics is not installed.
        """
        if not len(references):
            raise DataError(f"metric {self.name!r} cannot be computed on 0 rows")
        return float(self.parts(predictions, references)[:, 0].mean())

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64]:
        """The value of each row, and 1."""
        try:
            from torchmetrics.functional.text.rouge import rouge_score
        except ImportError as error:
            raise MissingExtraError(f"metric {self.name!r}", error.name or "torchmetrics", "train") from error
        found = []
        for said, right in zip(predictions.values.tolist(), references.tolist(), strict=True):
            texts = [text for text in right if text.strip()]
            if not texts or not said.strip():
                found.append(float(not texts and not said.strip()))
                continue
            scores = rouge_score([said], [texts], accumulate="best", rouge_keys=self.key)
            found.append(float(scores[f"{self.key}_fmeasure"]))
        return np.stack([np.array(found, np.float64), np.ones(len(found))], axis=1)

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean."""
        found: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
        return found


class Rouge1(Rouge):
    """ROUGE-1: single words."""

    name, key = "rouge1", "rouge1"


class Rouge2(Rouge):
    """ROUGE-2: pairs of words."""

    name, key = "rouge2", "rouge2"


class RougeL(Rouge):
    """ROUGE-L: the longest run of words in one order, with gaps."""

    name, key = "rouge_l", "rougeL"

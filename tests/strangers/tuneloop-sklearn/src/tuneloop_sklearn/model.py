"""An estimator between encoded rows and logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Arrays

NUMERIC, CATEGORICAL = "numeric", "categorical"
FLOOR = 1e-4
"""Probabilities below it become it, so that their logarithm neither is infinite nor magnifies rounding."""


@dataclass(frozen=True)
class TableModel:
    """What this package tunes and exports.

    Attributes:
        estimator: The scikit-learn estimator; `SklearnFit` fits it in place.
        width: Number of columns of the tensor `numeric`; 0 where the table has no number.
        cardinalities: Number of positions of each column of the tensor `categorical`.
        outputs: Columns of the logits: the number of labels, or 1.
        classifies: Whether outputs are labels.
    """

    estimator: Any
    width: int
    cardinalities: tuple[int, ...]
    outputs: int
    classifies: bool

    @property
    def columns(self) -> int:
        """The number of features the estimator reads: the numbers, then one for every position of a category."""
        return self.width + sum(self.cardinalities)

    def one_hot(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each feature that is a position: which column it is of, and which position; both `int64 [m]`."""
        column = np.repeat(np.arange(len(self.cardinalities)), self.cardinalities)
        position = np.concatenate([np.arange(size) for size in self.cardinalities] or [np.arange(0)])
        return column.astype(np.int64), position.astype(np.int64)

    def features(self, inputs: Arrays) -> NDArray[np.float32]:
        """Encoded rows as the estimator reads them, `float32 [n, columns]`."""
        parts: list[NDArray[Any]] = [inputs[NUMERIC]] if self.width else []
        if self.cardinalities:
            column, position = self.one_hot()
            parts.append(inputs[CATEGORICAL][:, column] == position)
        return np.concatenate([part.astype(np.float32) for part in parts], axis=1)

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """`float32 [n, outputs]`: logarithms of probabilities, or the value.

        Before it is fitted the estimator knows nothing: zeros, so that every label is as likely as the others.
        """
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        try:
            check_is_fitted(self.estimator)
        except NotFittedError:
            return np.zeros((len(features), self.outputs), dtype=np.float32)
        if not self.classifies:
            values: NDArray[Any] = np.asarray(self.estimator.predict(features)).reshape(-1, 1)
            return values.astype(np.float32)
        scores = np.zeros((len(features), self.outputs))
        scores[:, self.classes()] = self.estimator.predict_proba(features)
        logits: NDArray[np.float32] = np.log(np.maximum(scores, FLOOR)).astype(np.float32)
        return logits

    def classes(self) -> NDArray[np.int64]:
        """The labels' positions that training rows had, in the order of the estimator's probabilities."""
        return np.asarray(self.estimator.classes_).astype(np.int64)

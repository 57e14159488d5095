"""Metrics of predicted numbers, in the target's own unit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, Metric, Predictions
from tuneloop_torchmetrics.functional import call


class RegressionMetric(Metric):
    """A metric of values, given by a function of torchmetrics."""

    maximize = False
    kinds = frozenset({"regression"})
    function: ClassVar[str]
    options: Any
    extra: ClassVar[dict[str, Any]] = {}

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The value over all rows, in double precision."""
        values, truth = predictions.values.astype(np.float64), references.astype(np.float64)
        return call(self.name, "regression", self.function, values, truth, **self.extra)

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64] | None:
        """1, the difference, its square and its size, and the reference (from the mean of all) and its square."""
        values, truth = predictions.values.astype(np.float64), references.astype(np.float64)
        apart, level = values - truth, truth - (truth.mean() if len(truth) else 0.0)
        return np.stack([np.ones(len(truth)), apart, apart**2, np.abs(apart), level, level**2], axis=1)


class RootMeanSquaredError(RegressionMetric):
    """The root of the mean squared difference."""

    name, function = "rmse", "mean_squared_error"
    extra: ClassVar[dict[str, Any]] = {"squared": False}

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The root of the mean square."""
        found: NDArray[np.float64] = np.sqrt(sums[..., 2] / sums[..., 0])
        return found


class MeanSquaredError(RegressionMetric):
    """The mean squared difference, in the target's unit squared."""

    name, function = "mse", "mean_squared_error"

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean square."""
        found: NDArray[np.float64] = sums[..., 2] / sums[..., 0]
        return found


class MeanAbsoluteError(RegressionMetric):
    """The mean of the absolute difference."""

    name, function = "mae", "mean_absolute_error"

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean size."""
        found: NDArray[np.float64] = sums[..., 3] / sums[..., 0]
        return found


class R2Score(RegressionMetric):
    """The share of the target's variance that is explained; 0 for always guessing the mean, 1 at best."""

    name, maximize, function = "r2", True, "r2_score"

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The coefficient of determination; needs two rows with different values."""
        if len(references) < 2 or float(np.ptp(references)) == 0.0:
            raise DataError(f"metric {self.name!r} needs at least two rows with different values")
        return super().compute(predictions, references)

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """1 less the squares left over by the squares there are; not a number where all references are equal."""
        spread = sums[..., 5] - sums[..., 4] ** 2 / sums[..., 0]
        varied = spread > 1e-12 * np.maximum(sums[..., 5], 1e-300)
        found: NDArray[np.float64] = 1 - np.divide(sums[..., 2], spread, out=np.full_like(spread, np.nan), where=varied)
        return found

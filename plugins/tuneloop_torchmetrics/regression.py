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


class RootMeanSquaredError(RegressionMetric):
    """The root of the mean squared difference."""

    name, function = "rmse", "mean_squared_error"
    extra: ClassVar[dict[str, Any]] = {"squared": False}


class MeanSquaredError(RegressionMetric):
    """The mean squared difference, in the target's unit squared."""

    name, function = "mse", "mean_squared_error"


class MeanAbsoluteError(RegressionMetric):
    """The mean of the absolute difference."""

    name, function = "mae", "mean_absolute_error"


class R2Score(RegressionMetric):
    """The share of the target's variance that is explained; 0 for always guessing the mean, 1 at best."""

    name, maximize, function = "r2", True, "r2_score"

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The coefficient of determination; needs two rows with different values."""
        if len(references) < 2 or float(np.ptp(references)) == 0.0:
            raise DataError(f"metric {self.name!r} needs at least two rows with different values")
        return super().compute(predictions, references)

"""Metrics from torchmetrics."""

from __future__ import annotations

from tuneloop.api import Metric, hookimpl
from tuneloop_torchmetrics.classification import (
    Accuracy,
    Auroc,
    CalibrationError,
    MacroF1,
    MacroPrecision,
    MacroRecall,
    MatthewsCorrelation,
    WeightedF1,
)
from tuneloop_torchmetrics.regression import (
    MeanAbsoluteError,
    MeanSquaredError,
    R2Score,
    RootMeanSquaredError,
)

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_metrics() -> list[type[Metric]]:
    """The metrics of this folder."""
    return [
        Accuracy,
        MacroF1,
        WeightedF1,
        MacroPrecision,
        MacroRecall,
        MatthewsCorrelation,
        Auroc,
        CalibrationError,
        RootMeanSquaredError,
        MeanSquaredError,
        MeanAbsoluteError,
        R2Score,
    ]

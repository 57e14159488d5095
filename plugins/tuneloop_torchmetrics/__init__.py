"""Metrics from torchmetrics."""

from __future__ import annotations

from tuneloop.api import Metric, hookimpl
from tuneloop_torchmetrics.answers import AnswerF1, ExactMatch
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
from tuneloop_torchmetrics.likelihood import Perplexity
from tuneloop_torchmetrics.multi_label import LabelF1, LabelMacroF1, LabelPrecision, LabelRecall, SubsetAccuracy
from tuneloop_torchmetrics.regression import (
    MeanAbsoluteError,
    MeanSquaredError,
    R2Score,
    RootMeanSquaredError,
)
from tuneloop_torchmetrics.rouge import Rouge1, Rouge2, RougeL

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
        LabelF1,
        LabelMacroF1,
        LabelPrecision,
        LabelRecall,
        SubsetAccuracy,
        AnswerF1,
        ExactMatch,
        Perplexity,
        Rouge1,
        Rouge2,
        RougeL,
    ]

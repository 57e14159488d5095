"""How good a model is, in its report: calibration, cross-validation, weak slices, confusions, mistakes and labels."""

from tuneloop.report.evaluation.model import Bins, CalibrationPart, EvaluationPart, FoldsPart
from tuneloop.report.evaluation.part import render_calibration, render_errors, render_folds

__all__ = [
    "Bins",
    "CalibrationPart",
    "EvaluationPart",
    "FoldsPart",
    "render_calibration",
    "render_errors",
    "render_folds",
]

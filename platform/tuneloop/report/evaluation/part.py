"""The sections as HTML, to be put into the page; everything that comes from data is escaped."""

from __future__ import annotations

from tuneloop.report.evaluation.drawing import reliability
from tuneloop.report.evaluation.model import CalibrationPart, EvaluationPart, FoldsPart
from tuneloop.report.template import fill


def render_calibration(part: CalibrationPart) -> str:
    """The section on confidence."""
    drawings = {"before": reliability("reliability before calibration", part.before)}
    if part.temperature != 1.0:
        drawings["after"] = reliability("reliability after calibration", part.after)
    return fill("evaluation/calibration.html.j2", drawings=drawings, part=part)


def render_errors(part: EvaluationPart) -> str:
    """The section on errors."""
    return fill("evaluation/errors.html.j2", drawings={}, part=part)


def render_folds(part: FoldsPart) -> str:
    """The section on cross-validation."""
    return fill("evaluation/folds.html.j2", drawings={}, part=part)

"""The page: the template filled with a report."""

from __future__ import annotations

from pathlib import Path

from tuneloop.artifact import write_atomic
from tuneloop.report.model import Report
from tuneloop.report.svg import curve, matrix
from tuneloop.report.template import fill

_MOST_CLASSES = 40


def write_report(report: Report, target: Path) -> None:
    """Write the page, atomically."""
    write_atomic(target, render(report).encode())


def render(report: Report) -> str:
    """The page as HTML. Everything that comes from data is escaped."""
    curves = {name: curve(name, points, report.best_epoch) for name, points in _curves(report)}
    matrices = {}
    if 0 < len(report.confusion_labels) <= _MOST_CLASSES:
        matrices["confusion"] = matrix("confusion", report.confusion_labels, report.confusion)
    drawings = {f"curve {name}": drawing for name, drawing in curves.items()} | matrices
    drawings |= {f"section {name}": section for name, section in report.sections.items()}
    return fill("page.html.j2", drawings=drawings, report=report, curves=list(curves))


def _curves(report: Report) -> list[tuple[str, list[tuple[float, float]]]]:
    """Each number of the history that was recorded more than once, over the epochs."""
    names = dict.fromkeys(name for record in report.history for name in record if name != "epoch")
    found = []
    for name in names:
        points = [
            (float(record.get("epoch", place + 1)), float(record[name]))
            for place, record in enumerate(report.history)
            if name in record
        ]
        if len(points) > 1:
            found.append((name, points))
    return found

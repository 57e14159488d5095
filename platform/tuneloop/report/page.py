"""The page: the template filled with a report."""

from __future__ import annotations

from pathlib import Path

from tuneloop.artifact import write_atomic
from tuneloop.report.confusion import worst_classes, worst_labels
from tuneloop.report.model import Report
from tuneloop.report.svg import curve, matrix
from tuneloop.report.template import fill

_MOST_CLASSES = 40
"""With a row of their own: a larger drawing is one that nobody reads."""
_MOST_COLUMNS = 100


def write_report(report: Report, target: Path) -> None:
    """Write the page, atomically."""
    write_atomic(target, render(report).encode())


def render(report: Report) -> str:
    """The page as HTML. Everything that comes from data is escaped."""
    curves = {name: curve(name, points, report.best_epoch) for name, points in _curves(report)}
    confusion = worst_classes(report.confusion_labels, report.confusion, _MOST_CLASSES)
    matrices = {"confusion": matrix("confusion", confusion.labels, confusion.counts)} if confusion.labels else {}
    drawings = {f"curve {name}": drawing for name, drawing in curves.items()} | matrices
    drawings |= {f"section {name}": section for name, section in report.sections.items()}
    return fill(
        "page.html.j2",
        drawings=drawings,
        report=report,
        curves=list(curves),
        confusion=confusion,
        labels=worst_labels(report.label_counts, _MOST_CLASSES),
        columns=_MOST_COLUMNS,
    )


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

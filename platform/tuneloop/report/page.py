"""The page: the template filled with a report."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from tuneloop.api import MissingExtraError
from tuneloop.artifact import write_atomic
from tuneloop.report.model import Report
from tuneloop.report.svg import curve, matrix

_MOST_CLASSES = 40


def write_report(report: Report, target: Path) -> None:
    """Write the page, atomically."""
    write_atomic(target, render(report).encode())


def render(report: Report) -> str:
    """The page as HTML. Everything that comes from data is escaped."""
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError("the report", "jinja2", "train") from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = resources.files("tuneloop.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    curves = [(name, Markup(curve(name, points, report.best_epoch))) for name, points in _curves(report)]  # noqa: S704
    confusion = ""
    if 0 < len(report.confusion_labels) <= _MOST_CLASSES:
        # Both drawings escape the names they show.
        confusion = Markup(matrix("confusion", report.confusion_labels, report.confusion))  # noqa: S704
    return environment.from_string(template).render(report=report, curves=curves, confusion=confusion)


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

"""The drift report as one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from tuneloop.artifact import write_atomic
from tuneloop.report.drift.bars import bars
from tuneloop.report.drift.model import DriftReport
from tuneloop.report.drift.plain import WORDS
from tuneloop.report.template import fill

_DRAWN = 40
"""Signals with a drawing; the rest is in the table."""


def write_page(report: DriftReport, target: Path) -> None:
    """Write the page, atomically."""
    write_atomic(target, render(report).encode())


def render(report: DriftReport) -> str:
    """The page as HTML. Everything that comes from data is escaped.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    drawn = report.study.signals[:_DRAWN]
    drawings = {test.label: bars(test.label, test.bins, test.reference, test.current) for test in drawn}
    return fill("drift/page.html.j2", drawings=drawings, report=report, study=report.study, words=WORDS)

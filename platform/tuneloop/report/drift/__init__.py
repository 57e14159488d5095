"""The drift report: what is compared, and the page, the JSON and the lines that say what was found."""

from tuneloop.report.drift.model import DriftReport, ShownRow
from tuneloop.report.drift.page import write_page
from tuneloop.report.drift.plain import as_json, as_lines

__all__ = ["DriftReport", "ShownRow", "as_json", "as_lines", "write_page"]

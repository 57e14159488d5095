"""The HTML report of a run: one page that needs nothing else."""

from tuneloop.report.model import ColumnRow, GainRow, LabelRow, Report, SliceRow, VariantRow
from tuneloop.report.page import write_report

__all__ = ["ColumnRow", "GainRow", "LabelRow", "Report", "SliceRow", "VariantRow", "write_report"]

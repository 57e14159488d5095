"""The HTML report of a run: one page that needs nothing else."""

from tuneloop.report.model import GainRow, Report, SliceRow, VariantRow
from tuneloop.report.page import write_report

__all__ = ["GainRow", "Report", "SliceRow", "VariantRow", "write_report"]

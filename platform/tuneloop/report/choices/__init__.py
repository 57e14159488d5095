"""What a project left open, in its report: base models that were compared, and options that were looked for."""

from tuneloop.report.choices.model import CandidateLine, CandidatesPart, SearchPart, TrialLine
from tuneloop.report.choices.part import render_candidates, render_search

__all__ = ["CandidateLine", "CandidatesPart", "SearchPart", "TrialLine", "render_candidates", "render_search"]

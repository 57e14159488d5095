"""The sections as HTML, to be put into the page."""

from __future__ import annotations

from tuneloop.report.choices.drawing import history, shares
from tuneloop.report.choices.model import CandidatesPart, SearchPart
from tuneloop.report.template import fill


def render_search(part: SearchPart) -> str:
    """The section on the search; everything that comes from data is escaped."""
    drawings = {}
    points = [(line.number, line.value) for line in part.trials if line.value is not None]
    if len(points) > 1 and part.best is not None:
        drawings["history"] = history(f"{part.metric} by trial", points, part.best, maximize=part.maximize)
    if part.importance:
        drawings["importance"] = shares("importance of the options", part.importance)
    paths = list(dict.fromkeys(path for line in part.trials for path in line.values))
    return fill("choices/search.html.j2", drawings=drawings, part=part, paths=paths)


def render_candidates(part: CandidatesPart) -> str:
    """The section on the base models; everything that comes from data is escaped."""
    return fill("choices/candidates.html.j2", drawings={}, part=part)

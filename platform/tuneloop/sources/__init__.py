"""Data sources of Tuneloop itself: what it has stored."""

from __future__ import annotations

from tuneloop.api import DataSource, hookimpl
from tuneloop.sources.feedback import Feedback

TUNELOOP_API = ">=1,<2"

__all__ = ["Feedback"]


@hookimpl
def tuneloop_data_sources() -> list[type[DataSource]]:
    """The sources of this folder."""
    return [Feedback]

"""Metrics of transcripts from jiwer."""

from __future__ import annotations

from tuneloop.api import Metric, hookimpl
from tuneloop_jiwer.transcripts import CharacterErrorRate, WordErrorRate

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_metrics() -> list[type[Metric]]:
    """The metrics of this folder."""
    return [WordErrorRate, CharacterErrorRate]

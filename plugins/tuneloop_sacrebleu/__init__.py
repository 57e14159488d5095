"""Metrics of translations from sacrebleu."""

from __future__ import annotations

from tuneloop.api import Metric, hookimpl
from tuneloop_sacrebleu.translation import Bleu, Chrf

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_metrics() -> list[type[Metric]]:
    """The metrics of this folder."""
    return [Bleu, Chrf]

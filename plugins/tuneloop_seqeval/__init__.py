"""Metrics of entities from seqeval."""

from __future__ import annotations

from tuneloop.api import Metric, hookimpl
from tuneloop_seqeval.entities import EntityF1, EntityPrecision, EntityRecall

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_metrics() -> list[type[Metric]]:
    """The metrics of this folder."""
    return [EntityF1, EntityPrecision, EntityRecall]

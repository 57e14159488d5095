"""The set of dashboards."""

from __future__ import annotations

from tuneloop.monitoring.grafana.accuracy import accuracy
from tuneloop.monitoring.grafana.challenger import challenger
from tuneloop.monitoring.grafana.drift import drift
from tuneloop.monitoring.grafana.generation import generation
from tuneloop.monitoring.grafana.loop import loop
from tuneloop.monitoring.grafana.model import model
from tuneloop.monitoring.grafana.overview import overview
from tuneloop.monitoring.grafana.plan import BoardPlan
from tuneloop.monitoring.grafana.serving import serving


def boards() -> tuple[BoardPlan, ...]:
    """All dashboards, the one of all models first. They name no model: one set serves every project."""
    return overview(), model(), drift(), accuracy(), challenger(), loop(), serving(), generation()

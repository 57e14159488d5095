"""Marks on a model's dashboards: when a version went live, and when an alert fired."""

from __future__ import annotations

from tuneloop.monitoring.grafana.plan import Note
from tuneloop.monitoring.grafana.series import MODEL

_LOOK_BACK = "1m"
"""Grafana asks for annotations in steps of a minute: a version is new in exactly one of them."""


def model_notes() -> tuple[Note, ...]:
    """Promotions, as servers took them, and alerts; both from Prometheus alone."""
    live = f"max by (version) (tuneloop_live_version{{{MODEL}}}"
    return (
        Note(
            "Version went live",
            f"{live} > 0) unless {live} offset {_LOOK_BACK} > 0)",
            "Version {{version}} went live",
            "A promotion, a rollback, or the start of a server.",
            "green",
        ),
        Note(
            "Alert",
            f'ALERTS{{alertname=~"Tuneloop.+", alertstate="firing", {MODEL}}}',
            "{{alertname}}",
            "{{signal}} version {{version}}",
            "red",
        ),
    )

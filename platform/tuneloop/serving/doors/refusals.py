"""Counts refused requests."""

from __future__ import annotations

from tuneloop.monitoring.metrics import metrics
from tuneloop.serving.doors.problems import Problem


def count_refusal(model: str, problem: Problem) -> None:
    """Add one to `tuneloop_requests_refused_total`; the reasons are the fixed kinds of problems."""
    metrics().requests_refused.labels(model, problem.kind).inc()

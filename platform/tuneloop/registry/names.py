"""What the registry calls things in MLflow: aliases of versions, and tags of runs, versions and the model."""

from __future__ import annotations

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
"""Aliases: what is served, what is tried beside it, and what was served before."""

RUN, SHA256, GATE = "tuneloop.run", "tuneloop.sha256", "tuneloop.gate"
"""Tags of a version; the first two also of its MLflow run."""

HISTORY = "tuneloop.history"
"""Tag of the model: JSON, one record a move."""

PLACE = "tuneloop.place"
"""Tag of a version: where the project's storage keeps its artifact."""

_ATTEMPT = "tuneloop.attempt."


def attempt_tag(champion: str) -> str:
    """Tag of a version: which attempt it was at the champion whose artifact has this SHA-256."""
    return f"{_ATTEMPT}{champion[:16]}"

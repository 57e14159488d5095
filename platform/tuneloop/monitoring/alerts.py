"""Alerts in time: inactive, pending while a condition lasts, firing, resolved."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

Labels = tuple[tuple[str, str], ...]
"""Sorted pairs of name and value."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An alert's condition is met: its labels and texts."""

    labels: Labels
    annotations: Mapping[str, str]


class State(enum.StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Times are Unix seconds; `started` is when it began to fire, `ended` is None until it is resolved."""

    condition: Condition
    state: State
    since: float
    started: float = 0.0
    ended: float | None = None


class AlertStates:
    """What Prometheus does with `for`: a condition must be met at every look for `hold` seconds.

    Args:
        hold: Seconds.
    """

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._alerts: dict[Labels, Alert] = {}

    def update(self, now: float, conditions: list[Condition]) -> list[Alert]:
        """Look at the conditions met now.

        Returns:
            The alerts that fire, and those that were resolved by this look.
        """
        met = {condition.labels: condition for condition in conditions}
        shown: list[Alert] = []
        for labels, alert in list(self._alerts.items()):
            if labels not in met:
                del self._alerts[labels]
                if alert.state is State.FIRING:
                    shown.append(Alert(alert.condition, State.RESOLVED, alert.since, alert.started, now))
        for labels, condition in met.items():
            old = self._alerts.get(labels)
            since = old.since if old else now
            if old and old.state is State.FIRING:
                alert = Alert(condition, State.FIRING, since, old.started)
            elif now - since >= self._hold:
                alert = Alert(condition, State.FIRING, since, now)
            else:
                alert = Alert(condition, State.PENDING, since)
            self._alerts[labels] = alert
            if alert.state is State.FIRING:
                shown.append(alert)
        return shown

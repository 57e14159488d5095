"""What Alertmanager does between alerts and a webhook: groups, says each change once, repeats, tries again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuneloop.api import ServingError
from tuneloop.monitoring.alerts import Alert, Labels, State
from tuneloop.monitoring.webhook import group_of, payload

logger = logging.getLogger(__name__)

_Content = frozenset[tuple[Labels, State, float]]


@dataclass(slots=True)
class _Group:
    alerts: dict[Labels, Alert] = field(default_factory=dict)
    told: _Content = frozenset()
    told_at: float = 0.0
    failures: int = 0
    next_try: float = 0.0


class Delivery:
    """Posts the alerts of each group to one webhook.

    Args:
        send: Posts a payload, or raises ServingError.
        receiver: The receiver's name in the payload.
        external_url: Where the payload says it comes from.
        repeat: Seconds after which a group that still fires is posted again.
        first_pause: Seconds before a failed post is tried again; doubled each time, up to `longest_pause`.
        longest_pause: Seconds.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], None],
        *,
        receiver: str,
        external_url: str,
        repeat: float = 14_400.0,
        first_pause: float = 1.0,
        longest_pause: float = 60.0,
    ) -> None:
        self._send, self._receiver, self._external_url = send, receiver, external_url
        self._repeat, self._first_pause, self._longest_pause = repeat, first_pause, longest_pause
        self._groups: dict[Labels, _Group] = {}

    def update(self, now: float, alerts: Sequence[Alert]) -> None:
        """Take the alerts that fire and those just resolved, and post what changed. Never raises over a failed post."""
        for alert in alerts:
            labels = alert.condition.labels
            self._groups.setdefault(group_of(labels), _Group()).alerts[labels] = alert
        for key, group in list(self._groups.items()):
            self._forget_unsaid(group)
            if self._due(now, group):
                self._post(now, group)
            if not group.alerts:
                del self._groups[key]

    def _due(self, now: float, group: _Group) -> bool:
        if not group.alerts or now < group.next_try:
            return False
        return _content(group) != group.told or now - group.told_at >= self._repeat

    def _post(self, now: float, group: _Group) -> None:
        body = payload(list(group.alerts.values()), receiver=self._receiver, external_url=self._external_url)
        try:
            self._send(body)
        except ServingError as error:
            pause = min(self._first_pause * 2**group.failures, self._longest_pause)
            group.failures, group.next_try = group.failures + 1, now + pause
            logger.warning("an alert was not delivered, the next try is in %g s: %s", pause, error)
            return
        group.failures, group.next_try, group.told_at = 0, 0.0, now
        group.alerts = {labels: alert for labels, alert in group.alerts.items() if alert.state is State.FIRING}
        group.told = _content(group)

    def _forget_unsaid(self, group: _Group) -> None:
        """An alert that ended before anybody heard of it is not worth a message."""
        told = {labels for labels, _, _ in group.told}
        for labels, alert in list(group.alerts.items()):
            if alert.state is State.RESOLVED and labels not in told:
                del group.alerts[labels]


def _content(group: _Group) -> _Content:
    return frozenset((labels, alert.state, alert.started) for labels, alert in group.alerts.items())

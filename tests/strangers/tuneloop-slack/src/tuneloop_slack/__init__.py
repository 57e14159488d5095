"""Tells a Slack channel of promotions, refusals by the gate, and drift alerts; never breaks or holds up a run."""

from __future__ import annotations

import os
from functools import cache

from tuneloop.api import AlertEvent, GateEvent, PromotionEvent, hookimpl
from tuneloop_slack import messages
from tuneloop_slack.outbox import Outbox
from tuneloop_slack.webhook import Webhook

TUNELOOP_API = ">=1,<2"
VARIABLE = "TUNELOOP_SLACK_WEBHOOK"
"""The webhook's address; without it nothing is sent. It is a secret: never logged, never shown."""


@hookimpl
def tuneloop_promoted(event: PromotionEvent) -> None:
    """A version became champion."""
    _post(messages.promoted(event))


@hookimpl
def tuneloop_gate_decided(event: GateEvent) -> None:
    """The gate refused a challenger; that it let one pass is told when it is promoted."""
    if not event.passed:
        _post(messages.refused(event))


@hookimpl
def tuneloop_drift_alert(event: AlertEvent) -> None:
    """An alert reached the loop."""
    _post(messages.alerted(event))


def _post(text: str) -> None:
    url = os.environ.get(VARIABLE, "").strip()
    if url:
        _outbox(url).put(text)


@cache
def _outbox(url: str) -> Outbox:
    """The outbox of an address; a wrong one is reported once, by the manager, at the first event."""
    return Outbox(Webhook(url, name=VARIABLE))

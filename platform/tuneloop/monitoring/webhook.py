"""Alertmanager's webhook, version 4: the payload and how it is posted."""

from __future__ import annotations

import datetime
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any

from tuneloop.api import ServingError
from tuneloop.monitoring.alerts import Alert, Labels, State

GROUP_BY = ("alertname", "model", "version")
"""Alerts equal in these labels are posted together."""
NEVER = "0001-01-01T00:00:00Z"


def payload(alerts: Sequence[Alert], *, receiver: str, external_url: str) -> dict[str, Any]:
    """The body of one notification. `alerts` are all of one group, firing or resolved."""
    ordered = sorted(alerts, key=lambda alert: alert.condition.labels)
    group = {name: value for name, value in ordered[0].condition.labels if name in GROUP_BY}
    firing = any(alert.state is State.FIRING for alert in ordered)
    named = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(group.items()))
    return {
        "receiver": receiver,
        "status": str(State.FIRING if firing else State.RESOLVED),
        "alerts": [
            {
                "status": str(alert.state),
                "labels": dict(alert.condition.labels),
                "annotations": dict(alert.condition.annotations),
                "startsAt": _text(alert.started),
                "endsAt": NEVER if alert.ended is None else _text(alert.ended),
                "generatorURL": external_url,
                "fingerprint": fingerprint(alert.condition.labels),
            }
            for alert in ordered
        ],
        "groupLabels": group,
        "commonLabels": _common([dict(alert.condition.labels) for alert in ordered]),
        "commonAnnotations": _common([dict(alert.condition.annotations) for alert in ordered]),
        "externalURL": external_url,
        "version": "4",
        "groupKey": f"{{}}:{{{named}}}",
        "truncatedAlerts": 0,
    }


def group_of(labels: Labels) -> Labels:
    """The labels an alert is grouped by."""
    return tuple(pair for pair in labels if pair[0] in GROUP_BY)


def fingerprint(labels: Labels) -> str:
    """Alertmanager's own fingerprint of labels: FNV-1a of 64 bits over the sorted names and values."""
    digest = 0xCBF29CE484222325
    for name, value in sorted(labels):
        for byte in (*name.encode(), 0xFF, *value.encode(), 0xFF):
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def get(url: str, *, token: str | None = None, timeout: float = 5.0) -> str:
    """The text behind an http address. `token` is a bearer token to bring.

    Raises:
        ServingError: It cannot be had.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return _send(urllib.request.Request(_http(url), headers=headers), timeout)  # noqa: S310


def post(url: str, body: dict[str, Any], *, token: str | None = None, timeout: float = 10.0) -> None:
    """Post JSON, with the bearer token.

    Raises:
        ServingError: There was no answer, or one that is no success.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "tuneloop-watcher"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(_http(url), json.dumps(body).encode(), headers, method="POST")  # noqa: S310
    _send(request, timeout)


def _send(request: urllib.request.Request, timeout: float) -> str:
    """Without proxies: what is watched is on this network, and a token goes to nobody else."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(request, timeout=timeout) as response:
            return str(response.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        raise ServingError(f"{request.full_url} refuses: {error}") from error
    except (OSError, HTTPException) as error:
        raise ServingError(f"{request.full_url} cannot be reached: {error}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: it would carry the token elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _http(url: str) -> str:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ServingError(f"{url!r} is no http address")
    return url


def _text(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _common(many: list[dict[str, str]]) -> dict[str, str]:
    return {name: value for name, value in many[0].items() if all(other.get(name) == value for other in many)}

"""The curves from Prometheus: what the alert rules recorded, over any number of servers."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import Any
from urllib.parse import urlencode

from tuneloop.api import ServingError
from tuneloop.loop.web.curves import Asked, Curves, accuracy_chart, drift_chart
from tuneloop.loop.web.drawing import Point
from tuneloop.monitoring.rules import duration
from tuneloop.monitoring.webhook import get

_TIMEOUT = 5.0
"""Seconds."""
_JUDGED = "model_version_signal:tuneloop_signal_judged_zscore:ratio.+"
"""Pattern of recorded names: of several windows, each signal is judged in the one with enough rows."""
_LIMIT = "model_version:tuneloop_signal_psi_zscore:limit"
_SHARE, _LOWER, _UPPER = (f"model_version:tuneloop_accuracy{end}:ratio" for end in ("", "_lower", "_upper"))
"""Recorded names; those that end in `ratio` go on with the window."""


def read_prometheus(url: str, asked: Asked) -> Curves:
    """Ask Prometheus.

    Raises:
        ServingError: It does not answer, or not as Prometheus does.
    """
    drift: dict[str, list[Point]] = {}
    limit, window = asked.zscore, duration(asked.window)
    if asked.champion is not None:
        mine = f"version={_quote(asked.champion)}"
        named = f"__name__=~{_quote(_JUDGED)}, {mine}"
        drift = {labels["signal"]: points for labels, points in _ask(url, asked, "", "signal", named)}
        limits = [points[-1][1] for _, points in _ask(url, asked, _LIMIT, "version", mine) if points]
        limit = max(limits, default=limit)
    ends: dict[str, dict[str, dict[float, float]]] = defaultdict(dict)
    for name in (_SHARE, _LOWER, _UPPER):
        for labels, points in _ask(url, asked, name + window, "version"):
            ends[labels["version"]][name] = dict(points)
    accuracy = {
        version: [
            (moment, share, series.get(_LOWER, {}).get(moment, share), series.get(_UPPER, {}).get(moment, share))
            for moment, share in series.get(_SHARE, {}).items()
        ]
        for version, series in ends.items()
    }
    return Curves(
        drift_chart(asked, drift, limit),
        accuracy_chart(asked, accuracy),
        "Prometheus, over all servers",
        "Prometheus has no drift figures of the champion in this time.",
        "Prometheus has counted no labels in this time.",
    )


def _ask(url: str, asked: Asked, name: str, by: str, labels: str = "") -> list[tuple[dict[str, str], list[Point]]]:
    """The values of a recorded series by one label."""
    matchers = ", ".join(filter(None, [f"model={_quote(asked.model)}", labels]))
    query = {
        "query": f"max by ({by}) ({name}{{{matchers}}})",
        "start": f"{asked.start:.3f}",
        "end": f"{asked.end:.3f}",
        "step": f"{asked.step:.3f}",
    }
    text = get(f"{url.rstrip('/')}/api/v1/query_range?{urlencode(query)}", timeout=_TIMEOUT)
    try:
        found: list[dict[str, Any]] = json.loads(text)["data"]["result"]
        return [(one["metric"], _points(one["values"])) for one in found if by in one["metric"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ServingError(f"{url} does not answer as Prometheus does: {error!r}") from error


def _points(values: list[tuple[float, str]]) -> list[Point]:
    found = ((float(moment), float(value)) for moment, value in values)
    return [(moment, value) for moment, value in found if math.isfinite(value)]


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

"""The alert that a detector of late labels saw the error rise. The loop exposes what detectors say.

A change happens once and an alert must last: it fires for a day, or for the longest window where that is longer, unless
the same detector sees the error fall again, or no worker serves the version any more. A detector speaks when it is
sure, so the alert does not wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.monitoring.metrics import (
    DETECTOR_ERROR,
    DETECTOR_LAST_CHANGE,
    FALL,
    RISE,
    SIGNAL_REFERENCE_ROWS,
)
from tuneloop.monitoring.rules.alerting import CONCEPT_ALERT, SEVERITY, alert_rule
from tuneloop.monitoring.rules.promql import quote
from tuneloop.monitoring.rules.values import WatchValues
from tuneloop.monitoring.window import Series

_DAY = 86_400.0
_ONE, _EACH = "model, version", "model, version, detector"


def fires_for(values: WatchValues) -> float:
    """Seconds for which a rise alarms."""
    return max(_DAY, values.windows[-1])


def concept_rules(values: WatchValues) -> list[dict[str, Any]]:
    """The alert rule; its value is the mean error that the detector sees now."""
    model = f"model={quote(values.model)}"

    def last(direction: str) -> str:
        return f'max by ({_EACH}) ({DETECTOR_LAST_CHANGE}{{{model}, direction="{direction}"}})'

    condition = (
        f"max by ({_EACH}) ({DETECTOR_ERROR}{{{model}}})"
        f" and on ({_EACH}) ({last(RISE)} > 0) > time() - {fires_for(values):.0f}"
        f" unless on ({_EACH}) {last(FALL)} > {last(RISE)}"
        f" and on ({_ONE}) max by ({_ONE}) ({SIGNAL_REFERENCE_ROWS}{{{model}}} > 0)"
    )
    rule = alert_rule(CONCEPT_ALERT, condition, values, ("model", "version", "detector"))
    return [{**rule, "for": "0s", "labels": dict(SEVERITY)}]


def risen(values: WatchValues, now: float, gauges: Mapping[Series, float]) -> dict[tuple[str, str], float]:
    """What the rule says, for the embedded watcher: version and detector to the mean error now.

    Args:
        values: Whose model, and its windows.
        now: Unix seconds.
        gauges: The newest value of each gauge.
    """
    served: set[str] = set()
    changed: dict[tuple[str, str, str], float] = {}
    means: dict[tuple[str, str], float] = {}
    for (name, pairs), value in gauges.items():
        labels = dict(pairs)
        if name == SIGNAL_REFERENCE_ROWS and value > 0:
            served.add(labels["version"])
        elif name == DETECTOR_LAST_CHANGE:
            changed[labels["version"], labels["detector"], labels["direction"]] = value
        elif name == DETECTOR_ERROR:
            means[labels["version"], labels["detector"]] = value
    oldest = now - fires_for(values)
    return {
        (version, detector): mean
        for (version, detector), mean in means.items()
        if version in served
        and (rise := changed.get((version, detector, RISE), 0.0)) > max(oldest, 0.0)
        and changed.get((version, detector, FALL), 0.0) <= rise
    }

"""Alert rules and the texts they carry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from tuneloop.monitoring.rules.promql import duration
from tuneloop.monitoring.rules.values import WatchValues

DRIFT_ALERT, ACCURACY_ALERT, CONCEPT_ALERT = "TuneloopSignalDrift", "TuneloopAccuracyLow", "TuneloopConceptDrift"
SEVERITY = {"severity": "warning"}
ANNOTATIONS = {
    DRIFT_ALERT: {
        "summary": "Signal {signal} of {model} version {version} has drifted.",
        "description": "In the last {window} its values are spread over the reference bins in another way (z {value}).",
    },
    ACCURACY_ALERT: {
        "summary": "Answers of {model} version {version} got worse.",
        "description": "In the last {window} at most {value} of the labelled answers were right (95 % bound).",
    },
    CONCEPT_ALERT: {
        "summary": "The error of {model} version {version} rose, says detector {detector}.",
        "description": "Labels that came back contradict more answers than before: the mean error is now {value}.",
    },
}
"""Texts by alert; `{value}` is z, the upper bound of the share of right answers, or a mean error."""
DASHBOARD_LINKS = {
    DRIFT_ALERT: "{grafana}/d/tuneloop-drift?var-model={model}&var-version={version}&var-signal={signal}"
    "&var-window={window}",
    ACCURACY_ALERT: "{grafana}/d/tuneloop-accuracy?var-model={model}&var-version={version}",
    CONCEPT_ALERT: "{grafana}/d/tuneloop-accuracy?var-model={model}&var-version={version}",
}
"""Where Grafana shows what an alert is about, by alert; labels are quoted."""
VALUE_DIGITS = 3


def alert_texts(
    alert: str, values: WatchValues, labels: dict[str, str], value: str, quote: Callable[[str], str] = quote_plus
) -> dict[str, str]:
    """The annotations of an alert.

    Args:
        alert: Its name.
        values: Hold the window, and what it links to.
        labels: The alert's own; they may be Prometheus templates, as `value` may.
        value: z, or the upper bound of accuracy.
        quote: Makes a label part of an address.
    """
    named = {"model": "", "version": "", "signal": "", **labels, "window": duration(values.window), "value": value}
    texts = {name: text.format(**named) for name, text in ANNOTATIONS[alert].items()}
    if values.grafana:
        quoted = {name: quote(text) for name, text in named.items()}
        texts["dashboard_url"] = DASHBOARD_LINKS[alert].format(**quoted, grafana=values.grafana.rstrip("/"))
    if values.runbook:
        texts["runbook_url"] = values.runbook
    return texts


def alert_rule(name: str, condition: str, values: WatchValues, labels: tuple[str, ...]) -> dict[str, Any]:
    """An alert that fires once its condition has lasted for a quarter of the window.

    Args:
        name: One of `ANNOTATIONS`.
        condition: PromQL; its value is quoted in the texts.
        values: Hold the window, and what it links to.
        labels: Those of the condition that the texts and links name.
    """
    templates = {label: f"{{{{ $labels.{label} }}}}" for label in labels}
    value = f'{{{{ $value | printf "%.{VALUE_DIGITS}g" }}}}'
    return {
        "alert": name,
        "expr": condition,
        "for": duration(values.hold),
        "labels": {**SEVERITY, "window": duration(values.window)},
        "annotations": alert_texts(name, values, templates, value, _quote_template),
    }


def _quote_template(text: str) -> str:
    """A label's template, piped through the escaping that `quote_plus` does; other text is quoted now."""
    return text.replace(" }}", " | urlquery }}") if text.startswith("{{ $labels.") else quote_plus(text)

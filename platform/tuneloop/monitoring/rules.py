"""Prometheus recording and alert rules of one model, from plain values.

Counters are summed after `increase`, never before: only so does a restart of one replica not look like a fall of the
sum. Every aggregation keeps `model`, `version`, `signal`, `bin` and drops what tells replicas apart. A version is
looked at while some worker serves it: its reference gauges are above 0 then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any
from urllib.parse import quote_plus

from tuneloop.api import ConfigError
from tuneloop.monitoring.formula import CONFIDENCE_Z
from tuneloop.monitoring.metrics import (
    CORRECT,
    LABELS,
    REFERENCE_SCORE,
    SIGNAL_OBSERVATIONS,
    SIGNAL_REFERENCE_RATIO,
    SIGNAL_REFERENCE_ROWS,
    WRONG,
)

DRIFT_ALERT, ACCURACY_ALERT = "TuneloopSignalDrift", "TuneloopAccuracyLow"
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
}
"""Texts by alert; `{value}` is z, or the upper bound of the share of right answers."""
DASHBOARD_LINKS = {
    DRIFT_ALERT: "{grafana}/d/tuneloop-drift?var-model={model}&var-version={version}&var-signal={signal}",
    ACCURACY_ALERT: "{grafana}/d/tuneloop-accuracy?var-model={model}&var-version={version}",
}
"""Where Grafana shows what an alert is about, by alert; labels are quoted."""
LIMITS = ("zscore", "psi", "min_rows", "accuracy_drop", "min_labels")
"""Thresholds of `WatchValues` that are recorded, so that dashboards draw each project's own."""
VALUE_DIGITS = 3
_SAMPLES = 4
"""Scrapes a window must hold for `increase` to mean something."""
_LONGEST_INTERVAL = 120.0
"""Prometheus forgets a gauge five minutes after its last sample: one failed scrape must not blind the rules."""


@dataclass(frozen=True, slots=True)
class WatchValues:
    """What decides on an alarm. Times are in seconds.

    Attributes:
        model: The `model` label.
        window: Over which values and labels are counted.
        min_rows: Values a window must hold before its drift is judged.
        psi: An alarm needs a population stability index above this: the change is large ...
        zscore: ... and a z score above this: it is no accident.
        accuracy_drop: An alarm needs an upper bound of accuracy below the holdout's by more than this.
        min_labels: Labels a window must hold before its accuracy is judged.
        scrape_interval: Between two looks at the counters, and between two evaluations.
        grafana: Where people reach Grafana; alerts then carry `dashboard_url`.
        runbook: A page that says what to do; alerts then carry it as `runbook_url`.
    """

    model: str
    window: float
    min_rows: int = 1000
    psi: float = 0.05
    zscore: float = 4.0
    accuracy_drop: float = 0.02
    min_labels: int = 200
    scrape_interval: float = 15.0
    grafana: str = ""
    runbook: str = ""

    def __post_init__(self) -> None:
        if self.scrape_interval > _LONGEST_INTERVAL:
            raise ConfigError([f"the scrape interval {self.scrape_interval:g} s is above {_LONGEST_INTERVAL:g} s"])
        if not 0 < self.scrape_interval * _SAMPLES <= self.window < math.inf:
            raise ConfigError(
                [
                    f"monitor.window is {self.window:g} s and the scrape interval {self.scrape_interval:g} s: "
                    f"a window must hold at least {_SAMPLES} scrapes"
                ]
            )

    @property
    def hold(self) -> float:
        """Seconds a condition must last before it alarms: a quarter of the window."""
        return self.window / 4


def suggested_interval(window: float) -> float:
    """A scrape interval in seconds for a window: 40 to 240 scrapes, where that is between a second and two minutes."""
    wanted = max(min(15.0, window / 40), window / 240, min(1.0, window / _SAMPLES))
    return min(wanted, _LONGEST_INTERVAL)


def rule_groups(values: WatchValues) -> dict[str, Any]:
    """The rule file as plain values: one group, evaluated in order."""
    return {
        "groups": [
            {
                "name": f"tuneloop-{values.model}",
                "interval": duration(values.scrape_interval),
                "rules": [*_limit_rules(values), *_drift_rules(values), *_accuracy_rules(values)],
            }
        ]
    }


def rule_file(values: WatchValues) -> str:
    """The rule file as YAML."""
    return to_yaml(rule_groups(values))


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


def duration(seconds: float) -> str:
    """Seconds as Prometheus writes them: `90s`, `1500ms`."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def to_yaml(value: Any) -> str:
    """Plain values as YAML, keys in their order."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 10_000
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _limit_rules(values: WatchValues) -> list[dict[str, Any]]:
    return [
        {
            "record": "model_limit:tuneloop_alert:threshold",
            "expr": f"vector({getattr(values, limit)})",
            "labels": {"model": values.model, "limit": limit},
        }
        for limit in LIMITS
    ]


def _drift_rules(values: WatchValues) -> list[dict[str, Any]]:
    window, of_model = duration(values.window), f"{{model={_quote(values.model)}}}"
    one, each, every = "model, version", "model, version, signal", "model, version, signal, bin"
    expected = "model_version_signal_bin:tuneloop_signal_reference_ratio:max"
    bins = "model_version_signal:tuneloop_signal_bins:count"
    counts = f"model_version_signal_bin:tuneloop_signal_observations:increase{window}"
    rows = f"model_version_signal:tuneloop_signal_observations:increase{window}"
    shares = f"model_version_signal_bin:tuneloop_signal_current:ratio{window}"
    psi = f"model_version_signal:tuneloop_signal_psi:ratio{window}"
    chi2 = f"model_version_signal:tuneloop_signal_psi_chi2:ratio{window}"
    zscore = f"model_version_signal:tuneloop_signal_psi_zscore:ratio{window}"
    freedom = f"({bins} - 1)"
    reference_rows = f"max by ({one}) ({SIGNAL_REFERENCE_ROWS}{of_model} > 0)"
    seen = f"sum by ({every}) (increase({SIGNAL_OBSERVATIONS}{of_model}[{window}]))"
    condition = f"{zscore} > {values.zscore:g} and {psi} > {values.psi:g} and {rows} >= {values.min_rows}"
    return [
        {"record": expected, "expr": f"max by ({every}) ({SIGNAL_REFERENCE_RATIO}{of_model} > 0)"},
        {"record": bins, "expr": f"count by ({each}) ({_of(expected, values)})"},
        {"record": counts, "expr": f"({seen} and {_of(expected, values)}) or {_of(expected, values)} * 0"},
        {"record": rows, "expr": f"sum by ({each}) ({_of(counts, values)})"},
        {
            "record": shares,
            "expr": f"({_of(counts, values)} + 0.5) / on ({each}) group_left () (({rows} > 0) + 0.5 * {bins})",
        },
        {
            "record": psi,
            "expr": f"sum by ({each}) (({_of(shares, values)} - {expected}) * ln({shares} / {expected}))",
        },
        {
            "record": chi2,
            "expr": f"{_of(psi, values)} / (1 / ({rows} > 0) + on ({one}) group_left () 1 / {reference_rows})",
        },
        {
            "record": zscore,
            "expr": f"(({_of(chi2, values)} / {freedom}) ^ (1 / 3) - (1 - 2 / (9 * {freedom})))"
            f" / sqrt(2 / (9 * {freedom}))",
        },
        _alert(DRIFT_ALERT, condition.replace(zscore, _of(zscore, values), 1), values, ("model", "version", "signal")),
    ]


def _accuracy_rules(values: WatchValues) -> list[dict[str, Any]]:
    window, model = duration(values.window), f"model={_quote(values.model)}"
    counted = f"model_version:tuneloop_labels:increase{window}"
    share = f"model_version:tuneloop_accuracy:ratio{window}"
    lower = f"model_version:tuneloop_accuracy_lower:ratio{window}"
    upper = f"model_version:tuneloop_accuracy_upper:ratio{window}"
    n, p, z = f"({_of(counted, values)} > 0)", _of(share, values), f"{CONFIDENCE_Z:g}"

    def labels(outcome: str) -> str:
        return f'sum by (model, version) (increase({LABELS}{{{model}, outcome=~"{outcome}"}}[{window}]))'

    def bound(sign: str) -> str:
        """An end of the Wilson interval."""
        return (
            f"({p} + {z}^2 / (2 * {n}) {sign} {z} * sqrt({p} * (1 - {p}) / {n} + {z}^2 / (4 * {n}^2)))"
            f" / (1 + {z}^2 / {n})"
        )

    reference = f"max by (model, version) ({REFERENCE_SCORE}{{{model}}} > 0)"
    condition = f"{_of(upper, values)} < {reference} - {values.accuracy_drop:g} and {counted} >= {values.min_labels}"
    return [
        {"record": counted, "expr": labels(f"{CORRECT}|{WRONG}")},
        {"record": share, "expr": f"{labels(CORRECT)} / {n}"},
        {"record": lower, "expr": bound("-")},
        {"record": upper, "expr": bound("+")},
        _alert(ACCURACY_ALERT, condition, values, ("model", "version")),
    ]


def _alert(name: str, condition: str, values: WatchValues, labels: tuple[str, ...]) -> dict[str, Any]:
    templates = {label: f"{{{{ $labels.{label} }}}}" for label in labels}
    value = f'{{{{ $value | printf "%.{VALUE_DIGITS}g" }}}}'
    return {
        "alert": name,
        "expr": condition,
        "for": duration(values.hold),
        "labels": dict(SEVERITY),
        "annotations": alert_texts(name, values, templates, value, _quote_template),
    }


def _quote_template(text: str) -> str:
    """A label's template, piped through the escaping that `quote_plus` does; other text is quoted now."""
    return text.replace(" }}", " | urlquery }}") if text.startswith("{{ $labels.") else quote_plus(text)


def _of(record: str, values: WatchValues) -> str:
    """A recorded series of this model alone: other projects record under the same names."""
    return f"{record}{{model={_quote(values.model)}}}"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

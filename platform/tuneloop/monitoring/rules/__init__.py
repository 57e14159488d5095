"""Prometheus recording and alert rules of one model, from plain values.

Counters are summed after `increase`, never before: only so does a restart of one replica not look like a fall of the
sum. Every aggregation keeps `model`, `version`, `signal`, `bin` and drops what tells replicas apart. A version is
looked at while some worker serves it: its reference gauges are above 0 then.
"""

from tuneloop.monitoring.rules.alerting import (
    ACCURACY_ALERT,
    ANNOTATIONS,
    CONCEPT_ALERT,
    DASHBOARD_LINKS,
    DRIFT_ALERT,
    SEVERITY,
    VALUE_DIGITS,
    alert_texts,
)
from tuneloop.monitoring.rules.drift import ZSCORE_LIMIT
from tuneloop.monitoring.rules.files import rule_file, rule_groups
from tuneloop.monitoring.rules.promql import duration, to_yaml
from tuneloop.monitoring.rules.values import CROWDED, LIMITS, WatchValues, suggested_interval

__all__ = [
    "ACCURACY_ALERT",
    "ANNOTATIONS",
    "CONCEPT_ALERT",
    "CROWDED",
    "DASHBOARD_LINKS",
    "DRIFT_ALERT",
    "LIMITS",
    "SEVERITY",
    "VALUE_DIGITS",
    "ZSCORE_LIMIT",
    "WatchValues",
    "alert_texts",
    "duration",
    "rule_file",
    "rule_groups",
    "suggested_interval",
    "to_yaml",
]

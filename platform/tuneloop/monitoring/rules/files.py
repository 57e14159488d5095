"""The rule file of one model."""

from __future__ import annotations

from typing import Any

from tuneloop.monitoring.rules.accuracy import accuracy_rules
from tuneloop.monitoring.rules.concept import concept_rules
from tuneloop.monitoring.rules.drift import drift_rules, reference_rules
from tuneloop.monitoring.rules.promql import duration, to_yaml
from tuneloop.monitoring.rules.scores import score_rules
from tuneloop.monitoring.rules.values import LIMITS, WatchValues


def rule_groups(values: WatchValues) -> dict[str, Any]:
    """The rule file as plain values: a group a window, each evaluated in order; the first holds what all share."""
    shared = [*_limit_rules(values), *reference_rules(values), *concept_rules(values)]
    return {
        "groups": [
            {
                "name": f"tuneloop-{values.model}" + (f"-{duration(window)}" if place else ""),
                "interval": duration(values.at(window).evaluation_interval),
                "rules": [*([] if place else shared), *_window_rules(values.at(window), values.windows[:place])],
            }
            for place, window in enumerate(values.windows)
        ]
    }


def rule_file(values: WatchValues) -> str:
    """The rule file as YAML."""
    return to_yaml(rule_groups(values))


def _window_rules(values: WatchValues, shorter: tuple[float, ...]) -> list[dict[str, Any]]:
    return [*drift_rules(values, shorter), *accuracy_rules(values, shorter), *score_rules(values)]


def _limit_rules(values: WatchValues) -> list[dict[str, Any]]:
    return [
        {
            "record": "model_limit:tuneloop_alert:threshold",
            "expr": f"vector({getattr(values, limit)})",
            "labels": {"model": values.model, "limit": limit},
        }
        for limit in LIMITS
    ]

"""What a panel of the dashboard is, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuneloop.monitoring.rules import WatchValues, rule_groups


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are called; a `{{label}}` in the legend is replaced by Grafana."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class PanelPlan:
    """One panel.

    Attributes:
        kind: `lines` over time, `stat` for the newest values, `bars` for one bar a bin.
        unit: Grafana's name of the unit.
        width: Of 24 columns.
        threshold: A line in the panel: where an alarm begins.
        alarm: On which side of the threshold it is.
        each_version: Whether the panel is repeated for each version.
    """

    title: str
    description: str
    kind: Literal["lines", "stat", "bars"]
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 12
    threshold: float | None = None
    alarm: Literal["above", "below"] = "above"
    each_version: bool = False


def recorded(values: WatchValues) -> dict[str, str]:
    """Full names of the recorded series by `labels:metric`, such as `model_version_signal:tuneloop_signal_psi`."""
    names = [rule["record"] for group in rule_groups(values)["groups"] for rule in group["rules"] if "record" in rule]
    return {name.rpartition(":")[0]: name for name in names}

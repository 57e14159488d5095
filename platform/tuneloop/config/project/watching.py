"""When drift is drift, and when it is retrained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pydantic


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of pages for people, without a slash at the end; empty where there is none."""

    grafana: str = ""
    mlflow: str = ""
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Monitor:
    """When drift is drift.

    Attributes:
        window: Seconds of traffic that are compared; the shortest where there are several.
        exclude: Signals that are not watched, by label or by the name of their kind.
        slices: Columns, or signals, by whose values accuracy is counted too.
        longer: More windows, each longer than the one before.
        signals: The only signals that are watched, by label or name; None: all.
        detectors: What reads late labels, each a name with its options.
    """

    window: float
    min_rows: int
    psi: float
    zscore: float
    min_labels: int
    accuracy_drop: float
    exclude: tuple[str, ...]
    links: Links = Links()
    slices: tuple[str, ...] = ()
    longer: tuple[float, ...] = ()
    signals: tuple[str, ...] | None = None
    detectors: tuple[tuple[str, pydantic.BaseModel], ...] = ()


Trigger = Literal["drift", "accuracy", "concept"]


@dataclass(frozen=True, slots=True)
class Retrain:
    """When the loop retrains.

    Attributes:
        on: Alerts that start a run; empty: none.
        min_labels: New labelled rows that must have arrived.
        cooldown: Seconds between the end of a run and the next.
        daily_budget: Runs within any 24 hours.
        port: Of the webhook.
        min_coverage: Share of the predictions that must have a label.
        max_label_noise: Share of new labels, beyond the champion's own error, that may be doubtful; 1: not checked.
        schedule: Cron expression of the times that start a run; None: none.
        timezone: Zone the schedule's hours are of; None: that of the machine.
    """

    on: tuple[Trigger, ...]
    min_labels: int
    cooldown: float
    daily_budget: int
    port: int
    min_coverage: float = 0.01
    max_label_noise: float = 0.1
    schedule: str | None = None
    timezone: str | None = None

"""The collectors of the loop's process: what it does, and what its detectors see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneloop.api import MissingExtraError
from tuneloop.monitoring.metrics.names import DETECTOR_ERROR, DETECTOR_LAST_CHANGE, RUN_BUCKETS
from tuneloop.monitoring.metrics.once import once

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram


@dataclass(frozen=True, slots=True)
class LoopMetrics:
    """The collectors of `tuneloop loop`: alerts by what was decided, runs by how they ended, and their seconds."""

    alerts: Counter
    runs: Counter
    run_seconds: Histogram
    stage_seconds: Histogram
    rollbacks: Counter


@once
def loop_metrics() -> LoopMetrics:
    """The collectors of the loop's process, registered in the default registry.

    Raises:
        MissingExtraError: `prometheus_client` is not installed.
    """
    try:
        from prometheus_client import Counter, Histogram
    except ImportError as error:
        raise MissingExtraError("counting", "prometheus_client", "serve") from error

    return LoopMetrics(
        alerts=Counter(
            "tuneloop_loop_alerts_total", "Alerts received, by what was decided.", ["model", "alert", "decision"]
        ),
        runs=Counter("tuneloop_loop_runs_total", "Retrainings ended, by outcome.", ["model", "outcome"]),
        run_seconds=Histogram(
            "tuneloop_loop_run_seconds",
            "Seconds from the decision for a run to its end.",
            ["model"],
            buckets=RUN_BUCKETS,
        ),
        stage_seconds=Histogram(
            "tuneloop_loop_stage_seconds",
            "Seconds that a stage of a run took, over restarts of the loop.",
            ["model", "stage"],
            buckets=RUN_BUCKETS,
        ),
        rollbacks=Counter(
            "tuneloop_rollbacks_total", "Versions rolled back by the loop, by reason.", ["model", "reason"]
        ),
    )


@dataclass(frozen=True, slots=True)
class DetectorMetrics:
    """The collectors of the loop's detectors: what they read, what they said, and how they stand."""

    outcomes: Counter
    changes: Counter
    failures: Counter
    error_ratio: Gauge
    last_change: Gauge


@once
def detector_metrics() -> DetectorMetrics:
    """The collectors of the detectors in the loop's process, registered in the default registry.

    Raises:
        MissingExtraError: `prometheus_client` is not installed.
    """
    try:
        from prometheus_client import Counter, Gauge
    except ImportError as error:
        raise MissingExtraError("counting", "prometheus_client", "serve") from error

    one = ["model", "version"]
    each = [*one, "detector"]
    return DetectorMetrics(
        outcomes=Counter("tuneloop_detector_outcomes_total", "Labelled outcomes that the detectors were given.", one),
        changes=Counter(
            "tuneloop_detector_changes_total", "Changes of the error that a detector saw.", [*each, "direction"]
        ),
        failures=Counter(
            "tuneloop_detector_failures_total", "Detectors that raised and were switched off for this version.", each
        ),
        error_ratio=Gauge(DETECTOR_ERROR, "Mean error as a detector sees it now, 0 to 1.", each),
        last_change=Gauge(
            DETECTOR_LAST_CHANGE,
            "Unix time at which a detector last saw a change in this direction; 0: never.",
            [*each, "direction"],
        ),
    )

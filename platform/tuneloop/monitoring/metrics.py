"""The one place that names metrics. Every collector is made once a process, on first use.

`prometheus_client` decides at import whether it runs in multiprocess mode, from `PROMETHEUS_MULTIPROC_DIR`; BentoML
sets that variable while it starts. So it is imported inside functions here, and modules that need a collector ask
`metrics()` when they are used, never when they are imported.

A label set cannot be removed in multiprocess mode. A retired version's gauges are set to 0 instead, and the rules
read only gauges above 0.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tuneloop.api import MissingExtraError

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

T = TypeVar("T")

SIGNAL_OBSERVATIONS = "tuneloop_signal_observations_total"
SIGNAL_REFERENCE_RATIO = "tuneloop_signal_reference_ratio"
SIGNAL_REFERENCE_ROWS = "tuneloop_signal_reference_rows"
LABELS = "tuneloop_labels_total"
REFERENCE_SCORE = "tuneloop_reference_score_ratio"

CORRECT, WRONG, CORRECTED, INVALID = "correct", "wrong", "corrected", "invalid"
OUTCOMES = (CORRECT, WRONG, CORRECTED, INVALID)
"""Values of `outcome` in `tuneloop_labels_total`, of first labels; `corrected` counts every label that replaced one.
Accuracy is `(correct + to_correct - to_wrong) / (correct + wrong)`: see `CORRECTIONS`."""

AGREE, DIFFER, FAILED, DROPPED = "agree", "differ", "failed", "dropped"
SHADOW_OUTCOMES = (AGREE, DIFFER, FAILED, DROPPED)
"""Values of `outcome` in `tuneloop_shadow_rows_total`; agreement is `agree / (agree + differ)`."""

BOTH, CHAMPION_ONLY, CHALLENGER_ONLY, NEITHER = "both", "champion", "challenger", "neither"
RIGHT = (BOTH, CHAMPION_ONLY, CHALLENGER_ONLY, NEITHER)
"""Values of `right` in `tuneloop_shadow_labels_total`: who was right about the same row."""

TO_CORRECT, TO_WRONG = "to_correct", "to_wrong"
CORRECTIONS = (TO_CORRECT, TO_WRONG)
"""Values of `change` in `tuneloop_label_corrections_total`: a label that replaced another turned the outcome."""

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "tp", "fp", "fn"
CLASS_KINDS = (TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE)
"""Values of `kind` in `tuneloop_label_class_total`: rightly answered, wrongly answered, and missed, by class."""

COUNTED, UNDONE = "counted", "undone"
LABEL_CHANGES = (COUNTED, UNDONE)
"""Values of `change` where a replaced label is taken back: `counted - undone` is what the last labels say."""

LABEL_CLASS, LABEL_ERROR = "tuneloop_label_class_total", "tuneloop_label_error_power_total"
LABEL_CORRECTIONS, SLICE_LABELS = "tuneloop_label_corrections_total", "tuneloop_slice_labels_total"
ESTIMATED_CORRECT, ESTIMATED_ROWS = "tuneloop_estimated_correct_total", "tuneloop_estimated_rows_total"

RISE, FALL = "rise", "fall"
DIRECTIONS = (RISE, FALL)
"""Values of `direction` in the metrics of detectors: which way the error went."""
DETECTOR_ERROR = "tuneloop_detector_error_ratio"
DETECTOR_LAST_CHANGE = "tuneloop_detector_last_change_timestamp_seconds"

PREDICTION_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds."""
DELAY_BUCKETS = (1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0, 259200.0, 604800.0, 2592000.0)
"""Seconds: from one second to 30 days."""
RUN_BUCKETS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0, 43200.0)
"""Seconds: from ten seconds to half a day."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every collector of this process. Field names are the metric names without `tuneloop_` and `_total`."""

    signal_observations: Counter
    signal_reference_ratio: Gauge
    signal_reference_rows: Gauge
    signal_failures: Counter
    predictions: Counter
    prediction_seconds: Histogram
    batches: Counter
    batch_rows: Counter
    queue_rows: Gauge
    requests_refused: Counter
    generations: Counter
    generations_active: Gauge
    prompt_tokens: Counter
    generated_tokens: Counter
    first_token_seconds: Histogram
    token_seconds: Histogram
    labels: Counter
    label_squared_error: Counter
    label_delay_seconds: Histogram
    labels_orphaned: Counter
    label_corrections: Counter
    label_class: Counter
    label_error_power: Counter
    slice_labels: Counter
    estimated_correct: Counter
    estimated_rows: Counter
    reference_score_ratio: Gauge
    store_dropped_rows: Counter
    store_errors: Counter
    store_expired_rows: Counter
    labels_unsampled: Counter
    live_version: Gauge
    swaps: Counter
    channel_refusals: Counter
    challenger_workers: Gauge
    challenger_refusals: Counter
    challenger_failures: Counter
    shadow_rows: Counter
    shadow_seconds: Histogram
    shadow_squared_difference: Counter
    shadow_labels: Counter
    shadow_squared_error: Counter


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """One call a process, also where two threads are the first: a collector cannot be registered twice."""
    lock, made = threading.Lock(), functools.cache(make)

    @functools.wraps(make)
    def get() -> T:
        with lock:
            return made()

    return get


@_once
def metrics() -> Metrics:
    """The collectors of this process, registered in the default registry.

    Raises:
        MissingExtraError: `prometheus_client` is not installed.
    """
    try:
        from prometheus_client import Counter, Gauge, Histogram
    except ImportError as error:
        raise MissingExtraError("counting", "prometheus_client", "serve") from error

    one = ["model", "version"]
    pair = [*one, "champion"]
    each_bin = [*one, "signal", "bin"]
    return Metrics(
        signal_observations=Counter(SIGNAL_OBSERVATIONS, "Values of a signal seen in a bin.", each_bin),
        signal_reference_ratio=Gauge(
            SIGNAL_REFERENCE_RATIO,
            "Share of a signal's bin in the reference; 0: retired.",
            each_bin,
            multiprocess_mode="livemax",
        ),
        signal_reference_rows=Gauge(
            SIGNAL_REFERENCE_ROWS, "Rows behind the reference; 0: retired.", one, multiprocess_mode="livemax"
        ),
        signal_failures=Counter(
            "tuneloop_signal_failures_total", "Signals that raised and were switched off.", [*one, "signal"]
        ),
        predictions=Counter("tuneloop_predictions_total", "Rows answered.", one),
        prediction_seconds=Histogram(
            "tuneloop_prediction_seconds", "Seconds from a request to its answer.", one, buckets=PREDICTION_BUCKETS
        ),
        batches=Counter("tuneloop_batches_total", "Calls of the model.", one),
        batch_rows=Counter("tuneloop_batch_rows_total", "Rows in the calls of the model.", one),
        queue_rows=Gauge(
            "tuneloop_queue_rows", "Rows that wait, looked at once a second.", one, multiprocess_mode="livesum"
        ),
        requests_refused=Counter("tuneloop_requests_refused_total", "Requests refused.", ["model", "reason"]),
        generations=Counter("tuneloop_generations_total", "Texts generated, by why they ended.", [*one, "reason"]),
        generations_active=Gauge(
            "tuneloop_generations_active", "Texts that are being generated.", one, multiprocess_mode="livesum"
        ),
        prompt_tokens=Counter("tuneloop_prompt_tokens_total", "Tokens of prompts that were answered.", one),
        generated_tokens=Counter("tuneloop_generated_tokens_total", "Tokens generated, also of texts cut short.", one),
        first_token_seconds=Histogram(
            "tuneloop_first_token_seconds", "Seconds to the first token of a text.", one, buckets=PREDICTION_BUCKETS
        ),
        token_seconds=Histogram(
            "tuneloop_token_seconds", "Mean seconds between two tokens of a text.", one, buckets=PREDICTION_BUCKETS
        ),
        labels=Counter(LABELS, "Labels joined with their prediction, by outcome.", [*one, "outcome"]),
        label_squared_error=Counter(
            "tuneloop_label_squared_error_total", "Sum of squared errors of the labels counted.", one
        ),
        label_delay_seconds=Histogram(
            "tuneloop_label_delay_seconds", "Seconds from a prediction to its label.", one, buckets=DELAY_BUCKETS
        ),
        labels_orphaned=Counter(
            "tuneloop_labels_orphaned_total", "Labels that arrived before their prediction was stored.", ["model"]
        ),
        label_corrections=Counter(
            LABEL_CORRECTIONS, "Labels that replaced another and turned the outcome.", [*one, "change"]
        ),
        label_class=Counter(
            LABEL_CLASS,
            "Labels by class: rightly answered, wrongly answered, missed.",
            [*one, "class", "kind", "change"],
        ),
        label_error_power=Counter(
            LABEL_ERROR, "Sum of powers of the absolute errors of answers that are numbers.", [*one, "power", "change"]
        ),
        slice_labels=Counter(
            SLICE_LABELS,
            "Labels by the value of a slice and by outcome.",
            [*one, "slice", "value", "outcome"],
        ),
        estimated_correct=Counter(
            ESTIMATED_CORRECT, "Estimate: sum of the calibrated confidence of answers, no label asked.", one
        ),
        estimated_rows=Counter(ESTIMATED_ROWS, "Answers in the estimate.", one),
        reference_score_ratio=Gauge(
            REFERENCE_SCORE, "Share of right answers on the holdout; 0: retired.", one, multiprocess_mode="livemax"
        ),
        store_dropped_rows=Counter(
            "tuneloop_store_dropped_rows_total", "Predictions that never reached the store.", ["model"]
        ),
        store_errors=Counter("tuneloop_store_errors_total", "Failed writes to the store.", ["model"]),
        store_expired_rows=Counter(
            "tuneloop_store_expired_rows_total", "Predictions and lone labels deleted because of their age.", ["model"]
        ),
        labels_unsampled=Counter(
            "tuneloop_labels_unsampled_total", "Labels of predictions that sampling left out of the store.", ["model"]
        ),
        live_version=Gauge(
            "tuneloop_live_version",
            "Workers that answer with this version.",
            [*one, "sha256"],
            multiprocess_mode="livesum",
        ),
        swaps=Counter("tuneloop_swaps_total", "Changes of the version served.", ["model"]),
        channel_refusals=Counter(
            "tuneloop_channel_refusals_total", "Versions the channel named that were not taken.", ["model", "reason"]
        ),
        challenger_workers=Gauge(
            "tuneloop_challenger_workers",
            "Workers that ask this version too; mode is shadow or canary.",
            [*one, "sha256", "mode"],
            multiprocess_mode="livesum",
        ),
        challenger_refusals=Counter(
            "tuneloop_challenger_refusals_total",
            "Challengers the channel named that were not taken.",
            ["model", "reason"],
        ),
        challenger_failures=Counter(
            "tuneloop_challenger_failures_total",
            "Requests a challenger could not answer; a champion answered.",
            [*one, "reason"],
        ),
        shadow_rows=Counter("tuneloop_shadow_rows_total", "Rows shown to a shadow, by outcome.", [*pair, "outcome"]),
        shadow_seconds=Histogram(
            "tuneloop_shadow_seconds",
            "Seconds a shadow took for one call, of up to 32 rows.",
            one,
            buckets=PREDICTION_BUCKETS,
        ),
        shadow_squared_difference=Counter(
            "tuneloop_shadow_squared_difference_total", "Sum of squared differences of a shadow and its champion.", pair
        ),
        shadow_labels=Counter(
            "tuneloop_shadow_labels_total",
            "Labels of rows that a shadow answered too, by who was right.",
            [*pair, "right"],
        ),
        shadow_squared_error=Counter(
            "tuneloop_shadow_squared_error_total",
            "Sum of squared errors on rows that both answered, of champion or challenger.",
            [*pair, "of"],
        ),
    )


def forget_dead_workers(folder: Path | None = None) -> tuple[int, ...]:
    """Drop the live gauges of workers that were killed before they could do so themselves.

    Args:
        folder: The multiprocess folder; by default `PROMETHEUS_MULTIPROC_DIR`. Nothing happens where there is none.

    Returns:
        The process ids whose gauges were dropped.
    """
    place = folder or Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""))
    if place == Path() or not place.is_dir():
        return ()
    from prometheus_client import multiprocess

    found = {int(path.stem.rpartition("_")[2]) for path in place.glob("gauge_live*_*.db")}
    dead = tuple(sorted(pid for pid in found if not _alive(pid)))
    for pid in dead:
        multiprocess.mark_process_dead(pid, str(place))  # type: ignore[no-untyped-call]
    return dead


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True, slots=True)
class LoopMetrics:
    """The collectors of `tuneloop loop`: alerts by what was decided, runs by how they ended, and their seconds."""

    alerts: Counter
    runs: Counter
    run_seconds: Histogram
    stage_seconds: Histogram
    rollbacks: Counter


@dataclass(frozen=True, slots=True)
class DetectorMetrics:
    """The collectors of the loop's detectors: what they read, what they said, and how they stand."""

    outcomes: Counter
    changes: Counter
    failures: Counter
    error_ratio: Gauge
    last_change: Gauge


@_once
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


@_once
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

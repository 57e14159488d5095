"""The collectors of a server's worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneloop.api import MissingExtraError
from tuneloop.monitoring.metrics.names import (
    DELAY_BUCKETS,
    ESTIMATED_CORRECT,
    ESTIMATED_ROWS,
    LABEL_CLASS,
    LABEL_CORRECTIONS,
    LABEL_ERROR,
    LABELS,
    PREDICTION_BUCKETS,
    REFERENCE_SCORE,
    SIGNAL_OBSERVATIONS,
    SIGNAL_REFERENCE_RATIO,
    SIGNAL_REFERENCE_ROWS,
    SLICE_LABELS,
)
from tuneloop.monitoring.metrics.once import once

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram


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


@once
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

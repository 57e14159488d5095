"""Names of metrics that rules, dashboards and readers ask for, values of their labels, and buckets."""

from __future__ import annotations

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

"""Rules about labelled answers: the share that is right, its Wilson interval, and an alert when it fell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneloop.monitoring.metrics import (
    CORRECT,
    LABEL_CORRECTIONS,
    LABELS,
    REFERENCE_SCORE,
    TO_CORRECT,
    TO_WRONG,
    WRONG,
)
from tuneloop.monitoring.rules.alerting import ACCURACY_ALERT, alert_rule
from tuneloop.monitoring.rules.promql import duration, of_model, quote, recording, wilson_end
from tuneloop.monitoring.rules.values import CROWDED, WatchValues

_ONE = "model, version"


def accuracy_rules(values: WatchValues, shorter: Sequence[float] = ()) -> list[dict[str, Any]]:
    """The rules of one window.

    Args:
        values: `window` is the one.
        shorter: The windows below it, in seconds: where one of them holds plenty of labels, this one does not alarm.
    """
    window, model = duration(values.window), f"model={quote(values.model)}"
    counted = _counted(values.window)
    share = f"model_version:tuneloop_accuracy:ratio{window}"
    lower = f"model_version:tuneloop_accuracy_lower:ratio{window}"
    upper = f"model_version:tuneloop_accuracy_upper:ratio{window}"

    def own(record: str) -> str:
        return of_model(record, values.model)

    n, p = f"({own(counted)} > 0)", own(share)

    def labels(outcome: str) -> str:
        return f'sum by ({_ONE}) (increase({LABELS}{{{model}, outcome=~"{outcome}"}}[{window}]))'

    def corrections(change: str) -> str:
        return f'sum by ({_ONE}) (increase({LABEL_CORRECTIONS}{{{model}, change="{change}"}}[{window}]))'

    right = labels(CORRECT)
    # A label that came before the window may be corrected within it: the share stays one.
    right = f"({right} + ({corrections(TO_CORRECT)} - {corrections(TO_WRONG)} or {right} * 0))"
    needed = f"max by ({_ONE}) ({REFERENCE_SCORE}{{{model}}} > 0) - {values.accuracy_drop:g}"
    crowded = "".join(f" unless on ({_ONE}) {own(_counted(one))} >= {CROWDED * values.min_labels}" for one in shorter)
    condition = f"({own(upper)} < on ({_ONE}) group_left () ({needed}) and {counted} >= {values.min_labels}){crowded}"
    records = {
        counted: labels(f"{CORRECT}|{WRONG}"),
        share: f"clamp({right} / on ({_ONE}) {n}, 0, 1)",
        lower: wilson_end(p, n, "-"),
        upper: wilson_end(p, n, "+"),
    }
    return [
        *(recording(name, expression, values.window) for name, expression in records.items()),
        alert_rule(ACCURACY_ALERT, condition, values, ("model", "version")),
    ]


def _counted(window: float) -> str:
    """The recorded number of labels in a window."""
    return f"model_version:tuneloop_labels:increase{duration(window)}"

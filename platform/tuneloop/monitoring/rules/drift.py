"""Rules about signals: counts by bin, PSI and its z score against the reference, and an alert when one has moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneloop.monitoring.metrics import SIGNAL_OBSERVATIONS, SIGNAL_REFERENCE_RATIO, SIGNAL_REFERENCE_ROWS
from tuneloop.monitoring.rules.alerting import DRIFT_ALERT, alert_rule
from tuneloop.monitoring.rules.promql import duration, of_model, quote, recording
from tuneloop.monitoring.rules.values import CROWDED, WatchValues

ZSCORE_LIMIT = "model_version:tuneloop_signal_psi_zscore:limit"
_EXPECTED = "model_version_signal_bin:tuneloop_signal_reference_ratio:max"
_BINS = "model_version_signal:tuneloop_signal_bins:count"
_ONE, _EACH, _EVERY = "model, version", "model, version, signal", "model, version, signal, bin"


def reference_rules(values: WatchValues) -> list[dict[str, Any]]:
    """What signals are compared with in every window: reference shares, bins, and the z that is no accident.

    The limit of z is `formula.corrected` for all windows of all signals.
    """
    model = f"{{model={quote(values.model)}}}"
    tests = f"{len(values.windows)} * count by ({_ONE}) ({_BINS}{model})"
    return [
        {"record": _EXPECTED, "expr": f"max by ({_EVERY}) ({SIGNAL_REFERENCE_RATIO}{model} > 0)"},
        {"record": _BINS, "expr": f"count by ({_EACH}) ({_EXPECTED}{model})"},
        {"record": ZSCORE_LIMIT, "expr": f"sqrt({values.zscore:g} ^ 2 + 2 * ln({tests}))"},
    ]


def drift_rules(values: WatchValues, shorter: Sequence[float] = ()) -> list[dict[str, Any]]:
    """The rules of one window.

    Args:
        values: `window` is the one.
        shorter: The windows below it, in seconds: where one of them holds plenty of values, this one is not judged.
    """
    window = duration(values.window)
    counts = f"model_version_signal_bin:tuneloop_signal_observations:increase{window}"
    shares = f"model_version_signal_bin:tuneloop_signal_current:ratio{window}"
    psi = f"model_version_signal:tuneloop_signal_psi:ratio{window}"
    chi2 = f"model_version_signal:tuneloop_signal_psi_chi2:ratio{window}"
    zscore = f"model_version_signal:tuneloop_signal_psi_zscore:ratio{window}"
    judged = f"model_version_signal:tuneloop_signal_judged_zscore:ratio{window}"
    rows, freedom = _rows(values.window), f"({_BINS} - 1)"

    def own(record: str) -> str:
        return of_model(record, values.model)

    reference_rows = f"max by ({_ONE}) ({own(SIGNAL_REFERENCE_ROWS)} > 0)"
    seen = f"sum by ({_EVERY}) (increase({own(SIGNAL_OBSERVATIONS)}[{window}]))"
    crowded = "".join(f" unless on ({_EACH}) {own(_rows(one))} >= {CROWDED * values.min_rows}" for one in shorter)
    limit = f"on ({_ONE}) group_left () {own(ZSCORE_LIMIT)}"
    condition = f"{own(judged)} > {limit} and {own(psi)} > {values.psi:g}"
    records = {
        counts: f"({seen} and {own(_EXPECTED)}) or {own(_EXPECTED)} * 0",
        rows: f"sum by ({_EACH}) ({own(counts)})",
        shares: f"({own(counts)} + 0.5) / on ({_EACH}) group_left () (({rows} > 0) + on ({_EACH}) 0.5 * {_BINS})",
        psi: f"sum by ({_EACH}) (({own(shares)} - on ({_EVERY}) {_EXPECTED})"
        f" * ln({shares} / on ({_EVERY}) {_EXPECTED}))",
        chi2: f"{own(psi)} / on ({_EACH}) (1 / ({rows} > 0) + on ({_ONE}) group_left () 1 / {reference_rows})",
        zscore: f"(({own(chi2)} / on ({_EACH}) {freedom}) ^ (1 / 3) - (1 - 2 / (9 * {freedom})))"
        f" / sqrt(2 / (9 * {freedom}))",
        judged: f"({own(zscore)} and {rows} >= {values.min_rows}){crowded}",
    }
    return [
        *(recording(name, expression, values.window) for name, expression in records.items()),
        alert_rule(DRIFT_ALERT, condition, values, ("model", "version", "signal")),
    ]


def _rows(window: float) -> str:
    """The recorded number of values of a signal in a window."""
    return f"model_version_signal:tuneloop_signal_observations:increase{duration(window)}"

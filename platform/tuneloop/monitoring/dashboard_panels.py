"""The panels of the dashboard of one model, and the queries behind them.

Panels ask for series by their `signal` label and name no signal, so that those of plugins show up by themselves. The
names of recorded series are taken from the rules, never written a second time. `$version` may stand for several
versions and is matched as a pattern; `$signal` is one, and matched exactly: a plugin may put any character into it.
"""

from __future__ import annotations

from tuneloop.monitoring.dashboard_plan import PanelPlan, Query, recorded
from tuneloop.monitoring.metrics import REFERENCE_SCORE
from tuneloop.monitoring.rules import WatchValues

MODEL = 'model="$model"'
VERSION = f'{MODEL}, version=~"$version"'
SIGNAL = f'{VERSION}, signal="$signal"'
_RATE = "$__rate_interval"


def panel_plans(values: WatchValues) -> dict[str, tuple[PanelPlan, ...]]:
    """The panels by the title of their row."""
    return {"Serving": _serving(), "Signals": _signals(values), "Answers": _answers(values)}


def _serving() -> tuple[PanelPlan, ...]:
    def rate(metric: str, by: str, labels: str = VERSION) -> str:
        return f"sum by ({by}) (rate({metric}{{{labels}}}[{_RATE}]))"

    def latency(share: float) -> str:
        return f"histogram_quantile({share:g}, {rate('tuneloop_prediction_seconds_bucket', 'version, le')})"

    live = f"sum by (version) (tuneloop_live_version{{{MODEL}}} > 0)"
    failed = f"max by (version, signal) (tuneloop_signal_failures_total{{{VERSION}}} > 0)"
    return (
        PanelPlan(
            "Live versions", "Workers that answer with each version.", "stat", (Query(live, "{{version}}"),), width=6
        ),
        PanelPlan(
            "Requests per second",
            "Requests answered.",
            "lines",
            (Query(rate("tuneloop_prediction_seconds_count", "version"), "version {{version}}"),),
            unit="reqps",
            width=9,
        ),
        PanelPlan(
            "Latency",
            "From a request to its answer: half of the requests, and 99 of 100, are faster.",
            "lines",
            (Query(latency(0.5), "p50 version {{version}}"), Query(latency(0.99), "p99 version {{version}}")),
            unit="s",
            width=9,
        ),
        PanelPlan(
            "Refused requests",
            "Requests refused per second, by reason.",
            "lines",
            (Query(rate("tuneloop_requests_refused_total", "reason", MODEL), "{{reason}}"),),
            unit="reqps",
            width=8,
        ),
        PanelPlan(
            "Store drops",
            "Predictions that never reached the store, and failed writes to it, per second.",
            "lines",
            (
                Query(f"sum(rate(tuneloop_store_dropped_rows_total{{{MODEL}}}[{_RATE}]))", "rows dropped"),
                Query(f"sum(rate(tuneloop_store_errors_total{{{MODEL}}}[{_RATE}]))", "failed writes"),
            ),
            width=8,
        ),
        PanelPlan(
            "Signals switched off",
            "Signals that raised and are no longer watched; the server's log says why.",
            "stat",
            (Query(failed, "{{signal}} version {{version}}"),),
            width=8,
        ),
    )


def _signals(values: WatchValues) -> tuple[PanelPlan, ...]:
    names, legend = recorded(values), "{{signal}} version {{version}}"
    zscore, psi = (names[f"model_version_signal:tuneloop_signal_{name}"] for name in ("psi_zscore", "psi"))
    shares = names["model_version_signal_bin:tuneloop_signal_current"]
    expected = names["model_version_signal_bin:tuneloop_signal_reference_ratio"]
    return (
        PanelPlan(
            "Drift by signal (z)",
            f"How unlikely the window's values are by accident. An alarm needs more than {values.zscore:g}, "
            f"a PSI above {values.psi:g} and {values.min_rows} values.",
            "lines",
            (Query(f"{zscore}{{{VERSION}}}", legend),),
            threshold=values.zscore,
        ),
        PanelPlan(
            "PSI by signal",
            "How far the values moved from the reference (population stability index).",
            "lines",
            (Query(f"{psi}{{{VERSION}}}", legend),),
            threshold=values.psi,
        ),
        PanelPlan(
            "$signal, version $version: shares by bin",
            "The reference beside the current window.",
            "bars",
            (
                Query(f"max by (bin) ({expected}{{{SIGNAL}}})", "reference"),
                Query(f"max by (bin) ({shares}{{{SIGNAL}}})", "current"),
            ),
            unit="percentunit",
            width=24,
            each_version=True,
        ),
    )


def _answers(values: WatchValues) -> tuple[PanelPlan, ...]:
    names = recorded(values)
    share, upper, counted = (
        names[f"model_version:tuneloop_{name}"] for name in ("accuracy", "accuracy_upper", "labels")
    )
    return (
        PanelPlan(
            "Accuracy",
            f"Share of right answers among those with a label. An alarm needs an upper bound (95 %) that is "
            f"{values.accuracy_drop:g} below the holdout's share, and {values.min_labels} labels.",
            "lines",
            (
                Query(f"{share}{{{VERSION}}}", "version {{version}}"),
                Query(f"{upper}{{{VERSION}}}", "upper bound, version {{version}}"),
                Query(f"max by (version) ({REFERENCE_SCORE}{{{VERSION}}} > 0)", "holdout, version {{version}}"),
            ),
            unit="percentunit",
        ),
        PanelPlan(
            "Labels in the window",
            f"Below {values.min_labels} the accuracy is not judged.",
            "lines",
            (Query(f"{counted}{{{VERSION}}}", "version {{version}}"),),
            threshold=values.min_labels,
            alarm="below",
        ),
    )

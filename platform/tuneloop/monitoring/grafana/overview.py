"""The dashboard of all models."""

from __future__ import annotations

from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query, board_uid
from tuneloop.monitoring.grafana.series import RANGE, quantile, rate, recorded

_ANY = 'model=~".+"'
_TO_MODEL = f"/d/{board_uid('model')}?var-model=${{__data.fields.model}}&${{__url_time_range}}"


def overview() -> BoardPlan:
    """Every model in one table, and the four figures that tell whether somebody must look."""
    alerts = f'count by (model) (ALERTS{{alertname=~"Tuneloop.+", alertstate="firing", {_ANY}}})'
    worst = f"max by (model) ({recorded('model_version_signal:tuneloop_signal_judged_zscore', _ANY)})"
    accuracy = f"min by (model) ({recorded('model_version:tuneloop_accuracy', _ANY)})"
    requests = rate("tuneloop_prediction_seconds_count", "model", _ANY)
    refused = rate("tuneloop_requests_refused_total", "model", _ANY)
    workers = f"sum by (model) (tuneloop_live_version{{{_ANY}}} > 0)"
    versions = f"count by (model) (max by (model, version) (tuneloop_live_version{{{_ANY}}} > 0))"
    latency = quantile(0.99, "tuneloop_prediction_seconds", "model", _ANY)
    runs = f"sum by (model) (increase(tuneloop_loop_runs_total{{{_ANY}}}[{RANGE}]))"
    table = PanelPlan(
        "Models",
        "One row a model; its name leads to its dashboard. Retrainings are those of the time shown.",
        "table",
        (
            Query(workers, "workers"),
            Query(versions, "versions live"),
            Query(requests, "requests"),
            Query(refused, "refused"),
            Query(latency, "p99"),
            Query(worst, "largest z"),
            Query(accuracy, "accuracy"),
            Query(alerts, "alerts firing"),
            Query(runs, "retrainings"),
        ),
        width=24,
        key="model",
        units={"requests": "reqps", "refused": "reqps", "p99": "s", "accuracy": "percentunit"},
        links=(("Open the model's dashboard", _TO_MODEL),),
    )
    return BoardPlan(
        name="overview",
        title="Tuneloop: all models",
        description="Every model that Prometheus knows.",
        rows={
            "Models": (table,),
            "Over time": (
                PanelPlan("Requests", "Requests answered.", "lines", (Query(requests, "{{model}}"),), unit="reqps"),
                PanelPlan(
                    "Latency (p99)",
                    "From a request to its answer: 99 of 100 are faster.",
                    "lines",
                    (Query(latency, "{{model}}"),),
                    unit="s",
                ),
                PanelPlan(
                    "Largest drift (z)",
                    "Of all signals and versions, where enough values came: how unlikely they are by accident.",
                    "lines",
                    (Query(worst, "{{model}}"),),
                ),
                PanelPlan(
                    "Alerts firing", "Drift and accuracy alerts that fire.", "lines", (Query(alerts, "{{model}}"),)
                ),
            ),
        },
    )

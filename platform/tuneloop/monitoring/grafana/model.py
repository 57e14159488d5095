"""The dashboard of one model's service: traffic, latency, errors, versions live."""

from __future__ import annotations

from tuneloop.monitoring.grafana.notes import model_notes
from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query, Variable
from tuneloop.monitoring.grafana.series import MODEL, VERSION, quantile, rate

_SECONDS = "tuneloop_prediction_seconds"

MODEL_CHOICE = Variable("model", "tuneloop_live_version")
VERSION_CHOICE = Variable("version", f"tuneloop_live_version{{{MODEL}}}", several=True, newest_first=True)


def model() -> BoardPlan:
    """What clients see of a model."""
    live = f"sum by (version) (tuneloop_live_version{{{MODEL}}} > 0)"
    return BoardPlan(
        name="model",
        title="Tuneloop: one model",
        description="What clients see of one model.",
        variables=(MODEL_CHOICE, VERSION_CHOICE),
        notes=model_notes(),
        rows={
            "Traffic": (
                PanelPlan(
                    "Requests",
                    "Requests answered.",
                    "lines",
                    (Query(rate(f"{_SECONDS}_count", "version", VERSION), "version {{version}}"),),
                    unit="reqps",
                ),
                PanelPlan(
                    "Rows",
                    "Rows answered; a request may hold many.",
                    "lines",
                    (Query(rate("tuneloop_predictions_total", "version", VERSION), "version {{version}}"),),
                    unit="rowsps",
                ),
            ),
            "Latency": (
                PanelPlan(
                    "Latency",
                    "From a request to its answer: half, 9 of 10, and 99 of 100 are faster.",
                    "lines",
                    tuple(
                        Query(
                            quantile(share, _SECONDS, "version", VERSION), f"p{share * 100:.0f} version {{{{version}}}}"
                        )
                        for share in (0.5, 0.9, 0.99)
                    ),
                    unit="s",
                    width=24,
                ),
            ),
            "Errors": (
                PanelPlan(
                    "Requests refused",
                    "By reason; `internal` is an error of the server, the others say what the client should change.",
                    "stacked",
                    (Query(rate("tuneloop_requests_refused_total", "reason", MODEL), "{{reason}}"),),
                    unit="reqps",
                ),
                PanelPlan(
                    "Share refused",
                    "Of all requests, answered or refused.",
                    "lines",
                    (Query(_share_refused(), "refused"),),
                    unit="percentunit",
                ),
            ),
            "Versions": (
                PanelPlan(
                    "Live now",
                    "Workers that answer with each version.",
                    "stat",
                    (Query(live, "{{version}}"),),
                    width=8,
                ),
                PanelPlan(
                    "Live",
                    "Workers that answer with each version; a promotion changes it worker by worker.",
                    "stacked",
                    (Query(live, "version {{version}}"),),
                    width=16,
                ),
            ),
        },
    )


def _share_refused() -> str:
    refused = rate("tuneloop_requests_refused_total", "model", MODEL)
    answered = rate(f"{_SECONDS}_count", "model", MODEL)
    # A server that never refused has no such counter.
    refused = f"({refused} or {answered} * 0)"
    return f"{refused} / ({refused} + {answered} > 0)"

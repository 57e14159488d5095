"""The dashboard of the loop: what was decided on alerts, and how retrainings ended."""

from __future__ import annotations

from tuneloop.monitoring.grafana.notes import model_notes
from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query, Variable
from tuneloop.monitoring.grafana.series import MODEL, RANGE, increase, quantile

_ALERTS, _RUNS, _SECONDS = "tuneloop_loop_alerts_total", "tuneloop_loop_runs_total", "tuneloop_loop_run_seconds"
_SUPPRESSED = f'{MODEL}, decision!~"accepted|repeated"'


def loop() -> BoardPlan:
    """Decisions, suppressions and durations."""
    return BoardPlan(
        name="loop",
        title="Tuneloop: the loop",
        description="What the loop decided on alerts, and how its retrainings ended.",
        variables=(Variable("model", _ALERTS),),
        notes=model_notes(),
        rows={
            "Decisions": (
                PanelPlan(
                    "Decisions",
                    "Alerts by what was decided, in the time shown.",
                    "stacked",
                    (Query(increase(_ALERTS, "decision", MODEL), "{{decision}}"),),
                ),
                PanelPlan(
                    "Alerts that started no run",
                    "By the reason they were suppressed or ignored, in the time shown; `tuneloop loop status` has the "
                    "sentences.",
                    "table",
                    (Query(increase(_ALERTS, "decision, alert", _SUPPRESSED), "alerts"),),
                ),
            ),
            "Retrainings": (
                PanelPlan(
                    "Retrainings ended",
                    "By outcome, in the time shown.",
                    "stat",
                    (Query(increase(_RUNS, "outcome", MODEL), "{{outcome}}"),),
                    width=8,
                ),
                PanelPlan(
                    "Duration",
                    "From the decision for a run to its end, in the time shown: half, and 9 of 10, are shorter.",
                    "lines",
                    tuple(
                        Query(quantile(share, _SECONDS, "model", MODEL, RANGE), f"p{share * 100:.0f}")
                        for share in (0.5, 0.9)
                    ),
                    unit="s",
                    width=8,
                ),
                PanelPlan(
                    "Mean duration",
                    "Of the runs that ended in the time shown.",
                    "stat",
                    (Query(_mean_seconds(), "mean"),),
                    unit="s",
                    width=8,
                ),
            ),
        },
    )


def _mean_seconds() -> str:
    return f"{increase(f'{_SECONDS}_sum', 'model', MODEL)} / ({increase(f'{_SECONDS}_count', 'model', MODEL)} > 0)"

"""The dashboard of the loop: what was decided on alerts, and how retrainings ended."""

from __future__ import annotations

from tuneloop.monitoring.grafana.notes import model_notes
from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query, Variable
from tuneloop.monitoring.grafana.series import MODEL, RANGE, increase, quantile
from tuneloop.monitoring.metrics import DETECTOR_ERROR

_ALERTS, _RUNS, _SECONDS = "tuneloop_loop_alerts_total", "tuneloop_loop_runs_total", "tuneloop_loop_run_seconds"
_CHANGES = "tuneloop_detector_changes_total"
_STAGES, _ROLLBACKS = "tuneloop_loop_stage_seconds", "tuneloop_rollbacks_total"
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
            "Detectors of late labels": (
                PanelPlan(
                    "Mean error",
                    "Of the labelled answers that a detector holds for unchanged: a share of wrong ones, or for values "
                    "the absolute error over twice the 0.9 quantile of those on the holdout.",
                    "lines",
                    (
                        Query(
                            f"max by (version, detector) ({DETECTOR_ERROR}{{{MODEL}}})",
                            "{{detector}} version {{version}}",
                        ),
                    ),
                    unit="percentunit",
                ),
                PanelPlan(
                    "Changes",
                    "Rises and falls of the error that detectors saw, in the time shown; a rise alarms.",
                    "stacked",
                    (Query(increase(_CHANGES, "detector, direction", MODEL), "{{detector}}: {{direction}}"),),
                ),
            ),
            "Rollout": (
                PanelPlan(
                    "Versions rolled back",
                    "By reason, in the time shown: worse in errors, latency or answers, or not live in time.",
                    "stat",
                    (Query(increase(_ROLLBACKS, "reason", MODEL), "{{reason}}"),),
                ),
                PanelPlan(
                    "Time in stages",
                    "Seconds that the stages of the runs took, in the time shown.",
                    "stacked",
                    (Query(increase(f"{_STAGES}_sum", "stage", MODEL), "{{stage}}"),),
                    unit="s",
                ),
            ),
        },
    )


def _mean_seconds() -> str:
    return f"{increase(f'{_SECONDS}_sum', 'model', MODEL)} / ({increase(f'{_SECONDS}_count', 'model', MODEL)} > 0)"

"""The dashboard of a model's answers against the labels that came back."""

from __future__ import annotations

from tuneloop.monitoring.grafana.model import MODEL_CHOICE, VERSION_CHOICE
from tuneloop.monitoring.grafana.notes import model_notes
from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query
from tuneloop.monitoring.grafana.series import MODEL, RANGE, VERSION, increase, quantile, rate, recorded, threshold
from tuneloop.monitoring.metrics import CORRECT, LABELS, REFERENCE_SCORE, WRONG

_COUNTED = f'{VERSION}, outcome=~"{CORRECT}|{WRONG}"'
_DELAY = "tuneloop_label_delay_seconds"


def accuracy() -> BoardPlan:
    """Accuracy in the project's window with its interval, and how much the labels can be trusted to show."""

    def of(name: str) -> str:
        return f"max by (version) ({recorded(f'model_version:tuneloop_{name}', VERSION)})"

    holdout = f"max by (version) ({REFERENCE_SCORE}{{{VERSION}}} > 0)"
    labelled = increase(LABELS, "version", _COUNTED)
    error = increase("tuneloop_label_squared_error_total", "version", VERSION)
    return BoardPlan(
        name="accuracy",
        title="Tuneloop: accuracy",
        description="Answers against the labels that came back.",
        variables=(MODEL_CHOICE, VERSION_CHOICE),
        notes=model_notes(),
        rows={
            "Right answers": (
                PanelPlan(
                    "Version $version: share of right answers",
                    "Of the answers with a label, with the 95 % interval (Wilson). An alarm needs an upper end below "
                    "the share on the holdout, less the drop that the project allows.",
                    "band",
                    (
                        Query(of("accuracy_lower"), "lower end"),
                        Query(of("accuracy"), "share"),
                        Query(of("accuracy_upper"), "upper end"),
                        Query(holdout, "holdout"),
                        Query(f"{holdout} - on () group_left () {threshold('accuracy_drop')}", "alarm below"),
                    ),
                    unit="percentunit",
                    width=24,
                    each_version=True,
                ),
            ),
            "Labels": (
                PanelPlan(
                    "Labels in the window",
                    "Below the threshold accuracy is not judged.",
                    "lines",
                    (Query(of("labels"), "version {{version}}"), Query(threshold("min_labels"), "threshold")),
                ),
                PanelPlan(
                    "Coverage",
                    "Labels for every answer, in the time shown. Labels come late: a short time shows too few of them, "
                    "and more than all where labels of earlier answers arrive.",
                    "lines",
                    (
                        Query(
                            f"{labelled} / ({increase('tuneloop_predictions_total', 'version', VERSION)} > 0)",
                            "version {{version}}",
                        ),
                    ),
                    unit="percentunit",
                ),
                PanelPlan(
                    "Delay",
                    "From an answer to its label, in the time shown: half, and 9 of 10, come sooner.",
                    "lines",
                    tuple(
                        Query(
                            quantile(share, _DELAY, "version", VERSION, RANGE),
                            f"p{share * 100:.0f} version {{{{version}}}}",
                        )
                        for share in (0.5, 0.9)
                    ),
                    unit="s",
                ),
                PanelPlan(
                    "Outcomes",
                    "Labels by what they said; `corrected` replaced an earlier one, `invalid` did not fit the answer.",
                    "stacked",
                    (Query(rate(LABELS, "outcome", VERSION), "{{outcome}}"),),
                ),
                PanelPlan(
                    "Early labels",
                    "Labels that arrived before their prediction was stored, in the time shown; they wait for it.",
                    "lines",
                    (Query(increase("tuneloop_labels_orphaned_total", "model", MODEL), "early"),),
                ),
                PanelPlan(
                    "Root mean squared error",
                    "In the time shown; for tasks that predict numbers.",
                    "lines",
                    (Query(f"sqrt({error} / ({labelled} > 0))", "version {{version}}"),),
                ),
            ),
        },
    )

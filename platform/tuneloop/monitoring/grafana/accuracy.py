"""The dashboard of a model's answers against the labels that came back."""

from __future__ import annotations

from tuneloop.monitoring.grafana.model import MODEL_CHOICE, VERSION_CHOICE
from tuneloop.monitoring.grafana.notes import model_notes
from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query, Variable
from tuneloop.monitoring.grafana.series import (
    MODEL,
    RANGE,
    VERSION,
    WINDOW,
    increase,
    quantile,
    rate,
    recorded,
    threshold,
)
from tuneloop.monitoring.metrics import CORRECT, LABEL_CORRECTIONS, LABELS, REFERENCE_SCORE, WRONG

_COUNTED = f'{VERSION}, outcome=~"{CORRECT}|{WRONG}"'
_SLICE = "model_version_slice_value"
_DELAY = "tuneloop_label_delay_seconds"


def accuracy() -> BoardPlan:
    """Accuracy in the project's window with its interval, and how much the labels can be trusted to show."""

    def of(name: str) -> str:
        return f"max by (version) ({recorded(f'model_version:tuneloop_{name}', f'{VERSION}, {WINDOW}')})"

    def sliced(name: str) -> str:
        chosen = f'{VERSION}, {WINDOW}, slice="$slice"'
        return f"max by (value) ({recorded(f'{_SLICE}:tuneloop_{name}', chosen)})"

    by_class = recorded("model_version_class:tuneloop_class_f1", f"{VERSION}, {WINDOW}")
    holdout = f"max by (version) ({REFERENCE_SCORE}{{{VERSION}}} > 0)"
    labelled = increase(LABELS, "version", _COUNTED)
    error = increase("tuneloop_label_squared_error_total", "version", VERSION)
    return BoardPlan(
        name="accuracy",
        title="Tuneloop: accuracy",
        description="Answers against the labels that came back.",
        variables=(
            MODEL_CHOICE,
            VERSION_CHOICE,
            Variable("window", recorded("model_version:tuneloop_labels", MODEL)),
            Variable("slice", recorded(f"{_SLICE}:tuneloop_slice_labels", MODEL)),
        ),
        notes=model_notes(),
        rows={
            "Right answers": (
                PanelPlan(
                    "Version $version: share of right answers",
                    "Of the answers with a label, with the 95 % interval (Wilson). An alarm needs an upper end below "
                    "the share on the holdout, less the drop that the project allows. The estimate takes scores for "
                    "what they were worth on the holdout (CBPE): it cannot see that right answers changed, and nothing "
                    "alarms by it.",
                    "band",
                    (
                        Query(of("accuracy_lower"), "lower end"),
                        Query(of("accuracy"), "share"),
                        Query(of("accuracy_upper"), "upper end"),
                        Query(holdout, "holdout"),
                        Query(f"{holdout} - on () group_left () {threshold('accuracy_drop')}", "alarm below"),
                        Query(of("accuracy_estimate"), "estimate, without labels"),
                    ),
                    unit="percentunit",
                    width=24,
                    each_version=True,
                ),
            ),
            "Classes": (
                PanelPlan(
                    "Macro F1, precision, recall",
                    "Means over the classes that occur in the window; empty for tasks that predict numbers.",
                    "lines",
                    tuple(
                        Query(of(f"macro_{score}"), f"{name}, version {{{{version}}}}")
                        for score, name in (("f1", "F1"), ("precision", "precision"), ("recall", "recall"))
                    ),
                    unit="percentunit",
                ),
                PanelPlan(
                    "Weakest classes",
                    "The ten classes with the lowest F1 in the window; classes beyond the hundredth are `other`.",
                    "lines",
                    (
                        Query(
                            f"bottomk(10, max by (version, class) ({by_class}))",
                            "{{class}}, version {{version}}",
                        ),
                    ),
                    unit="percentunit",
                ),
            ),
            "Slice $slice": (
                PanelPlan(
                    "Version $version: right answers by $slice",
                    "In the window, with the 95 % interval (Wilson). A project names its slices in monitor.slices.",
                    "table",
                    (
                        Query(sliced("slice_accuracy"), "share"),
                        Query(sliced("slice_accuracy_lower"), "lower end"),
                        Query(sliced("slice_accuracy_upper"), "upper end"),
                        Query(sliced("slice_labels"), "labels"),
                    ),
                    key="value",
                    width=24,
                    each_version=True,
                    units={"share": "percentunit", "lower end": "percentunit", "upper end": "percentunit"},
                ),
            ),
            "Numbers": tuple(
                PanelPlan(
                    f"Version $version: {name}",
                    "In the window, with the 95 % interval (normal approximation); for tasks that predict numbers.",
                    "band",
                    (
                        Query(of(f"{record}_lower"), "lower end"),
                        Query(of(record), "error"),
                        Query(of(f"{record}_upper"), "upper end"),
                    ),
                    each_version=True,
                )
                for name, record in (
                    ("mean absolute error", "mean_absolute_error"),
                    ("root mean square error", "root_mean_square_error"),
                )
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
                    "Corrections",
                    "Labels that replaced another and turned a wrong answer into a right one, or the other way.",
                    "stacked",
                    (Query(increase(LABEL_CORRECTIONS, "change", VERSION), "{{change}}"),),
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

"""The dashboard of a model's signals: how far each has moved, and in which bins."""

from __future__ import annotations

from tuneloop.monitoring.grafana.model import MODEL_CHOICE
from tuneloop.monitoring.grafana.notes import model_notes
from tuneloop.monitoring.grafana.plan import BoardPlan, PanelPlan, Query, Variable
from tuneloop.monitoring.grafana.series import MODEL, SIGNAL, VERSION, WINDOW, recorded, threshold
from tuneloop.monitoring.rules import ZSCORE_LIMIT

_ZSCORE = "model_version_signal:tuneloop_signal_psi_zscore"
_JUDGED = "model_version_signal:tuneloop_signal_judged_zscore"
_PSI = "model_version_signal:tuneloop_signal_psi"
_ROWS = "model_version_signal:tuneloop_signal_observations"
_CURRENT = "model_version_signal_bin:tuneloop_signal_current"
_EXPECTED = "model_version_signal_bin:tuneloop_signal_reference_ratio"
_LEGEND = "{{signal}} version {{version}}"
_HOTTEST = 8.0
"""z at which the heat map's colours end: twice the usual threshold."""


def drift() -> BoardPlan:
    """Panels ask for series by label and name no signal, so that signals of plugins show up by themselves."""

    def each(name: str) -> str:
        return f"max by (signal, version) ({recorded(name, f'{VERSION}, {WINDOW}')})"

    judged = f"max by (signal, version) ({recorded(_JUDGED, VERSION)})"
    limit = f"max by (version) ({ZSCORE_LIMIT}{{{VERSION}}})"

    failed = f"max by (version, signal) (tuneloop_signal_failures_total{{{VERSION}}} > 0)"
    expected = recorded(_EXPECTED, MODEL)
    return BoardPlan(
        name="drift",
        title="Tuneloop: drift",
        description="How the values of each signal are spread now, against the reference of the version.",
        variables=(
            MODEL_CHOICE,
            Variable("version", expected, several=True, newest_first=True),
            Variable("signal", recorded(_EXPECTED, VERSION)),
            Variable("window", recorded(_ROWS, MODEL)),
        ),
        notes=model_notes(),
        rows={
            "Every signal": (
                PanelPlan(
                    "z by signal",
                    "How unlikely the newest values are by accident, in the shortest window that holds enough of them.",
                    "heatmap",
                    (Query(judged, _LEGEND),),
                    width=24,
                    top=_HOTTEST,
                ),
                PanelPlan(
                    "z",
                    "An alarm needs z, PSI and the number of values above their thresholds, all at once; that of z "
                    "grows with the number of signals and windows.",
                    "lines",
                    (Query(each(_ZSCORE), _LEGEND), Query(limit, "threshold of version {{version}}")),
                    width=8,
                ),
                PanelPlan(
                    "PSI",
                    "How far the values moved from the reference (population stability index).",
                    "lines",
                    (Query(each(_PSI), _LEGEND), Query(threshold("psi"), "threshold")),
                    width=8,
                ),
                PanelPlan(
                    "Values in the window",
                    "Below the threshold drift is not judged; at twice the threshold longer windows are not.",
                    "lines",
                    (Query(each(_ROWS), _LEGEND), Query(threshold("min_rows"), "threshold")),
                    width=8,
                ),
            ),
            "One signal": (
                PanelPlan(
                    "$signal, version $version: shares by bin",
                    "The reference beside the current values, in the window $window.",
                    "bars",
                    (
                        Query(f"max by (bin) ({recorded(_EXPECTED, SIGNAL)})", "reference"),
                        Query(f"max by (bin) ({recorded(_CURRENT, f'{SIGNAL}, {WINDOW}')})", "current"),
                    ),
                    unit="percentunit",
                    width=24,
                    key="bin",
                    each_version=True,
                ),
            ),
            "Not watched": (
                PanelPlan(
                    "Signals switched off",
                    "Signals that raised and are no longer watched; the server's log says why.",
                    "stat",
                    (Query(failed, _LEGEND),),
                    width=24,
                ),
            ),
        },
    )

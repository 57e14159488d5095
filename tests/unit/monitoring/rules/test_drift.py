from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.monitoring.rules.promtool import (
    RATIOS,
    STEPS,
    Series,
    check,
    counts,
    drift_alert,
    needs_promtool,
    reference,
    steady,
)

from tuneloop.monitoring.formula import drift
from tuneloop.monitoring.rules import (
    ACCURACY_ALERT,
    DRIFT_ALERT,
)


@needs_promtool
def test_drift_alarms_with_the_figures_of_the_formula(tmp_path: Path) -> None:
    increases = [1120, 160, 160, 160]
    found = drift(np.array(increases, float), np.array(RATIOS), 2000)
    assert found is not None
    psi = "round(model_version_signal:tuneloop_signal_psi:ratio600s, 0.0001)"
    zscore = "round(model_version_signal:tuneloop_signal_psi_zscore:ratio600s, 0.0001)"
    check(
        tmp_path,
        reference() + counts(steady(28, 4, 4, 4)),
        {DRIFT_ALERT: [drift_alert("1", increases)], ACCURACY_ALERT: []},
        [
            (psi, '{"signal": "age", "window": "600s"}', {"1": round(found.psi, 4)}),
            (zscore, '{"signal": "age", "window": "600s"}', {"1": round(found.zscore, 4)}),
        ],
    )


@needs_promtool
def test_drift_must_last_a_quarter_of_the_window(tmp_path: Path) -> None:
    """1000 rows are seen after 25 scrapes, 375 s; the alarm comes 150 s later."""
    series = reference() + counts(steady(28, 4, 4, 4))
    check(tmp_path, series, {DRIFT_ALERT: []}, at="500s")
    check(tmp_path, series, {DRIFT_ALERT: [drift_alert("1", [28 * 36, 4 * 36, 4 * 36, 4 * 36])]}, at="540s")


@needs_promtool
@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("clean", counts(steady(4, 28, 4, 4))),
        ("too few rows", counts(steady(14, 2, 2, 2))),
        ("empty window", counts([f"500x{STEPS}", f"5x{STEPS}", f"5x{STEPS}", f"5x{STEPS}"])),
        (
            "a replica restarts: its counters begin again",
            counts(steady(4, 28, 4, 4)) + counts([f"{9000 * s}+{s}x60 0+{s}x60" for s in (4, 28, 4, 4)], instance="b"),
        ),
        (
            "a replica vanishes",
            counts(steady(4, 28, 4, 4)) + counts([f"0+{s}x95 stale" for s in (4, 28, 4, 4)], instance="b"),
        ),
        (
            "a replica joins",
            counts(steady(4, 28, 4, 4)) + counts([f"_x85 0+{s}x35" for s in (4, 28, 4, 4)], instance="b"),
        ),
    ],
)
def test_what_is_no_drift_is_silent(tmp_path: Path, name: str, series: Series) -> None:
    check(tmp_path, reference() + series, {DRIFT_ALERT: []})


@needs_promtool
def test_an_empty_window_has_no_figures(tmp_path: Path) -> None:
    check(
        tmp_path,
        reference() + counts([f"500x{STEPS}"] * 4),
        {DRIFT_ALERT: []},
        [
            ("model_version_signal:tuneloop_signal_psi:ratio600s", "{}", {}),
            (
                "model_version_signal:tuneloop_signal_observations:increase600s + 0",
                '{"signal": "age", "window": "600s"}',
                {"1": 0},
            ),
        ],
    )


@needs_promtool
def test_replicas_are_summed_and_versions_kept_apart(tmp_path: Path) -> None:
    """Each replica alone holds too few rows; a bin without a counter counts as empty; a retired version is silent."""
    half = counts(steady(14, 2, 2, 2)) + counts(steady(14, 2, 2, 2), instance="b")
    clean = reference("2") + counts(steady(4, 28, 4, 4), "2")
    retired = reference("3", ratios=(0, 0, 0, 0)) + counts(steady(28, 4, 4, 4), "3")
    partial = reference("4") + [one for one in counts(steady(40, 0, 0, 0), "4") if '"low"' in one["series"]]
    check(
        tmp_path,
        reference() + reference(instance="b") + half + clean + retired + partial,
        {DRIFT_ALERT: [drift_alert("1", [1120, 160, 160, 160]), drift_alert("4", [1600, 0, 0, 0])]},
        [
            (
                "model_version_signal:tuneloop_signal_bins:count + 0",
                '{"signal": "age"}',
                {"1": 4, "2": 4, "4": 4},
            )
        ],
    )

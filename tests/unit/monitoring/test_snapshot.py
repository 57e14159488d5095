from __future__ import annotations

import numpy as np
import pytest

from tuneloop.monitoring.formula import drift, wilson_upper
from tuneloop.monitoring.snapshot import take_snapshot
from tuneloop.monitoring.window import SampleWindow, Series

RATIOS = {"low": 0.2, "mid": 0.6, "missing": 0.2}


def series(name: str, **labels: str) -> Series:
    return name, tuple(sorted({"model": "desk", **labels}.items()))


def gauges(version: str, *, live: float = 1.0) -> dict[Series, float]:
    ratios = {
        series("tuneloop_signal_reference_ratio", version=version, signal="age", bin=name): share * live
        for name, share in RATIOS.items()
    }
    rows = {series("tuneloop_signal_reference_rows", version=version): 2000 * live}
    return {**ratios, **rows, series("tuneloop_reference_score_ratio", version=version): 0.9 * live}


def window() -> SampleWindow:
    """Two servers that have counted for a minute."""
    held = SampleWindow(60)
    for second in range(0, 61, 10):
        for instance in "ab":
            seen = {
                series(
                    "tuneloop_signal_observations_total", version="1", signal="age", bin=name, instance=instance
                ): step * second
                for name, step in (("low", 4.0), ("mid", 5.0), ("missing", 1.0))
            }
            labels = {
                series("tuneloop_labels_total", version="1", outcome=outcome, instance=instance): step * second
                for outcome, step in (("correct", 4.0), ("wrong", 1.0), ("corrected", 9.0))
            }
            held.add(float(second), {**seen, **labels})
    return held


def test_servers_are_summed_and_compared_with_the_reference() -> None:
    found = take_snapshot(window(), 60.0, gauges("1"))
    expected = drift(np.array([480.0, 600.0, 120.0]), np.array(list(RATIOS.values())), 2000)
    assert expected is not None
    one = found.drift["1", "age"]
    assert (one.psi, one.zscore, one.rows) == pytest.approx((expected.psi, expected.zscore, 1200))
    right = found.accuracy["1"]
    assert (right.share, right.labels, right.reference) == pytest.approx((0.8, 600, 0.9))
    assert right.upper == pytest.approx(wilson_upper(480, 600))
    assert found.signals == {"1": 1}


def test_a_retired_version_and_one_without_traffic_have_no_figures() -> None:
    found = take_snapshot(window(), 60.0, {**gauges("1", live=0.0), **gauges("2")})
    assert (found.drift, found.accuracy) == ({}, {})
    assert found.signals == {"2": 1}

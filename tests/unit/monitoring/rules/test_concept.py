from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from tests.unit.monitoring.rules.promtool import labels, needs_promtool, run_tests

from tuneloop.monitoring.exposition import parse
from tuneloop.monitoring.rules import CONCEPT_ALERT, WatchValues, alert_texts, rule_file
from tuneloop.monitoring.rules.concept import fires_for, risen

VALUES = WatchValues("desk", window=86_400, scrape_interval=120, grafana="http://g:3100")
NOW = 100_800.0

CASES = [
    ("it rose an hour ago", NOW - 3600, 0.0, 2000, True),
    ("it never changed", 0.0, 0.0, 2000, False),
    ("it rose more than a day ago", NOW - 87_000, 0.0, 2000, False),
    ("it fell again", NOW - 3600, NOW - 1800, 2000, False),
    ("it fell, and rose again", NOW - 1800, NOW - 3600, 2000, True),
    ("nobody serves it", NOW - 3600, 0.0, 0, False),
]


@pytest.mark.parametrize(("rise", "fall", "rows", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_the_embedded_watcher(rise: float, fall: float, rows: int, expected: bool) -> None:
    registry = CollectorRegistry()
    one = ["model", "version", "detector"]
    Gauge("tuneloop_signal_reference_rows", "x", one[:2], registry=registry).labels("desk", "1").set(rows)
    Gauge("tuneloop_detector_error_ratio", "x", one, registry=registry).labels("desk", "1", "adwin").set(0.4)
    last = Gauge("tuneloop_detector_last_change_timestamp_seconds", "x", [*one, "direction"], registry=registry)
    last.labels("desk", "1", "adwin", "rise").set(rise)
    last.labels("desk", "1", "adwin", "fall").set(fall)
    gauges = parse(generate_latest(registry).decode(), "tuneloop_", {"model": "desk"})
    assert risen(VALUES, NOW, gauges) == ({("1", "adwin"): 0.4} if expected else {})


def test_a_longer_window_lasts_longer() -> None:
    assert fires_for(WatchValues("desk", window=3600)) == 86_400
    assert fires_for(WatchValues("desk", window=3600, longer=(604_800,))) == 604_800


@needs_promtool
def test_prometheus_says_the_same(tmp_path: Path) -> None:
    """Each case is a version."""
    steps = int(NOW // 120)
    series: list[dict[str, str]] = []
    alerts: list[dict[str, Any]] = []
    for number, (_, rise, fall, rows, expected) in enumerate(CASES):
        one = {"model": "desk", "version": str(number)}
        each = {**one, "detector": "adwin"}

        def series_of(name: str, value: float, **pairs: str) -> dict[str, str]:
            return {"series": name + labels(**pairs), "values": f"{value:.10g}x{steps}"}

        series += [
            series_of("tuneloop_signal_reference_rows", rows, **one, instance="server"),
            series_of("tuneloop_detector_error_ratio", 0.4, **each, instance="loop"),
        ]
        for direction, moment in (("rise", rise), ("fall", fall)):
            name = "tuneloop_detector_last_change_timestamp_seconds"
            series.append(series_of(name, moment, **each, direction=direction, instance="loop"))
        if expected:
            texts = alert_texts(CONCEPT_ALERT, VALUES, each, "0.4")
            assert texts["dashboard_url"] == f"http://g:3100/d/tuneloop-accuracy?var-model=desk&var-version={number}"
            alerts.append({"exp_labels": {"severity": "warning", **each}, "exp_annotations": texts})
    (tmp_path / "rules.yml").write_text(rule_file(VALUES))
    test = {
        "interval": "2m",
        "input_series": series,
        "alert_rule_test": [
            {"eval_time": f"{NOW:.0f}s", "alertname": CONCEPT_ALERT, "exp_alerts": alerts},
        ],
    }
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "2m", "tests": [test]}
    (tmp_path / "test.yml").write_text(json.dumps(content))
    run_tests(tmp_path)

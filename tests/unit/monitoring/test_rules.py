"""The generated rules under the real promtool."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from tuneloop.api import ConfigError
from tuneloop.monitoring.formula import drift, wilson_upper
from tuneloop.monitoring.rules import (
    ACCURACY_ALERT,
    DRIFT_ALERT,
    LIMITS,
    WatchValues,
    alert_texts,
    duration,
    rule_file,
    suggested_interval,
)

VALUES = WatchValues("desk", window=600, scrape_interval=15)
BINS = ("low", "00: 0 to 1", "high", "missing")
RATIOS = (0.1, 0.7, 0.1, 0.1)
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on the PATH")
STEPS = 120
"""Scrapes of a scenario: three windows."""

Series = list[dict[str, str]]


def labels(**pairs: str) -> str:
    return "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in pairs.items()) + "}"


def reference(version: str = "1", instance: str = "a", ratios: Sequence[float] = RATIOS) -> Series:
    one = {"model": "desk", "version": version, "instance": instance, "pid": "7"}
    rows = 2000 if any(ratios) else 0
    return [
        {"series": f"tuneloop_signal_reference_rows{labels(**one)}", "values": f"{rows}x{STEPS}"},
        *(
            {
                "series": f"tuneloop_signal_reference_ratio{labels(**one, signal='age', bin=name)}",
                "values": f"{ratio}x{STEPS}",
            }
            for name, ratio in zip(BINS, ratios, strict=True)
        ),
    ]


def counts(values: Sequence[str], version: str = "1", instance: str = "a") -> Series:
    one = {"model": "desk", "version": version, "instance": instance, "signal": "age"}
    return [
        {"series": f"tuneloop_signal_observations_total{labels(**one, bin=name)}", "values": text}
        for name, text in zip(BINS, values, strict=True)
    ]


def steady(*steps: int) -> list[str]:
    return [f"0+{step}x{STEPS}" for step in steps]


def drift_alert(version: str, increases: Sequence[float]) -> dict[str, Any]:
    found = drift(np.array(increases, dtype=float), np.array(RATIOS), 2000)
    assert found is not None
    own = {"model": "desk", "version": version, "signal": "age"}
    return {
        "exp_labels": {"severity": "warning", **own},
        "exp_annotations": alert_texts(DRIFT_ALERT, VALUES, own, f"{found.zscore:.3g}"),
    }


def check(
    folder: Path,
    series: Series,
    alerts: Mapping[str, Sequence[dict[str, Any]]],
    figures: Sequence[tuple[str, str, Mapping[str, float]]] = (),
    at: str = "25m",
    values: WatchValues = VALUES,
) -> None:
    """Run `promtool test rules`: the alerts by name, and (expression, its labels, value by version) at a time."""
    (folder / "rules.yml").write_text(rule_file(values))
    test = {
        "interval": "15s",
        "input_series": series,
        "alert_rule_test": [
            {"eval_time": at, "alertname": name, "exp_alerts": list(expected)} for name, expected in alerts.items()
        ],
        "promql_expr_test": [
            {
                "expr": expression,
                "eval_time": at,
                "exp_samples": [
                    {"labels": labels(model="desk", version=version, **json.loads(extra)), "value": value}
                    for version, value in expected.items()
                ],
            }
            for expression, extra, expected in figures
        ],
    }
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [test]}
    (folder / "test.yml").write_text(json.dumps(content))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("model", ["desk", 'a "quoted" \\ model', "message-desk.eu"])
def test_promtool_accepts_the_rules(tmp_path: Path, model: str) -> None:
    (tmp_path / "rules.yml").write_text(rule_file(WatchValues(model, window=3600)))
    done = subprocess.run(
        ["promtool", "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "19 rules found" in done.stdout


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
            (psi, '{"signal": "age"}', {"1": round(found.psi, 4)}),
            (zscore, '{"signal": "age"}', {"1": round(found.zscore, 4)}),
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
            ("model_version_signal:tuneloop_signal_observations:increase600s + 0", '{"signal": "age"}', {"1": 0}),
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
        [("model_version_signal:tuneloop_signal_bins:count + 0", '{"signal": "age"}', {"1": 4, "2": 4, "4": 4})],
    )


@needs_promtool
def test_a_fall_of_accuracy_alarms(tmp_path: Path) -> None:
    def outcomes(version: str, correct: int, wrong: int) -> Series:
        one = {"model": "desk", "version": version, "instance": "a"}
        gauge = {"series": f"tuneloop_reference_score_ratio{labels(**one)}", "values": f"0.9x{STEPS}"}
        found = [
            {"series": f"tuneloop_labels_total{labels(**one, outcome=name)}", "values": f"0+{step}x{STEPS}"}
            for name, step in (("correct", correct), ("wrong", wrong), ("corrected", 50))
        ]
        return [gauge, *found]

    upper = wilson_upper(320, 400)
    own = {"model": "desk", "version": "1"}
    check(
        tmp_path,
        outcomes("1", 8, 2) + outcomes("2", 9, 1) + outcomes("3", 1, 2),
        {
            ACCURACY_ALERT: [
                {
                    "exp_labels": {"severity": "warning", **own},
                    "exp_annotations": alert_texts(ACCURACY_ALERT, VALUES, own, f"{upper:.3g}"),
                }
            ]
        },
        [
            ("round(model_version:tuneloop_accuracy:ratio600s{version='1'}, 0.0001)", "{}", {"1": 0.8}),
            (
                "round(model_version:tuneloop_accuracy_upper:ratio600s{version='1'}, 0.0001)",
                "{}",
                {"1": round(upper, 4)},
            ),
            (
                "round(model_version:tuneloop_accuracy_lower:ratio600s{version='1'}, 0.0001)",
                "{}",
                {"1": round(1 - wilson_upper(80, 400), 4)},
            ),
        ],
    )


@needs_promtool
def test_alerts_link_to_dashboard_and_runbook_where_there_are_any(tmp_path: Path) -> None:
    values = replace(VALUES, grafana="http://grafana:3100/", runbook="https://wiki/drift?a=b&c")
    increases, signal = [1120, 160, 160, 160], 'odd "quoted" & más/:age'
    found = drift(np.array(increases, dtype=float), np.array(RATIOS), 2000)
    assert found is not None
    own = {"model": "desk", "version": "1", "signal": signal}
    texts = alert_texts(DRIFT_ALERT, values, own, f"{found.zscore:.3g}")
    address = urlsplit(texts["dashboard_url"])
    assert (address.netloc, address.path) == ("grafana:3100", "/d/tuneloop-drift")
    assert parse_qs(address.query) == {f"var-{name}": [value] for name, value in own.items()}
    assert texts["runbook_url"] == values.runbook
    assert alert_texts(ACCURACY_ALERT, values, own, "0.8")["dashboard_url"].startswith(
        "http://grafana:3100/d/tuneloop-accuracy?"
    )
    assert alert_texts(DRIFT_ALERT, VALUES, own, "5").keys() == {"summary", "description"}
    renamed = json.loads(
        json.dumps(reference() + counts(steady(28, 4, 4, 4))).replace(
            json.dumps('signal="age"')[1:-1], json.dumps(f"signal={json.dumps(signal, ensure_ascii=False)}")[1:-1]
        )
    )
    expected = {"exp_labels": {"severity": "warning", **own}, "exp_annotations": texts}
    check(tmp_path, renamed, {DRIFT_ALERT: [expected]}, values=values)


@needs_promtool
def test_thresholds_are_recorded(tmp_path: Path) -> None:
    values = WatchValues("desk", window=600, min_rows=1_234_567, psi=0.0625)
    figures = [
        (f"model_limit:tuneloop_alert:threshold{{limit='{limit}'}}", limit, getattr(values, limit)) for limit in LIMITS
    ]
    tests = [
        {"expr": expr, "eval_time": "5m", "exp_samples": [{"labels": f"{expr[:-1]},model='desk'}}", "value": value}]}
        for expr, _, value in figures
    ]
    (tmp_path / "rules.yml").write_text(rule_file(values))
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [{"promql_expr_test": tests}]}
    (tmp_path / "test.yml").write_text(json.dumps(content))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_window_needs_several_scrapes() -> None:
    with pytest.raises(ConfigError, match="at least 4 scrapes"):
        WatchValues("desk", window=30, scrape_interval=10)
    with pytest.raises(ConfigError, match="above 120 s"):
        WatchValues("desk", window=86400, scrape_interval=300)
    assert duration(90) == "90s"
    assert duration(1.5) == "1500ms"
    assert WatchValues("desk", window=60).hold == 15


def test_an_interval_is_suggested_for_every_window() -> None:
    assert [suggested_interval(window) for window in (4, 20, 60, 3600, 86400)] == [1, 1, 1.5, 15, 120]
    for window in (0.5, 4, 37, 1e6):
        assert WatchValues("desk", window=window, scrape_interval=suggested_interval(window)).hold == window / 4

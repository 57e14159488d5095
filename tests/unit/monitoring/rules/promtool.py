"""Runs `promtool` on generated rules, with series of a model "desk" and of a signal "age"."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.monitoring.formula import drift
from tuneloop.monitoring.rules import DRIFT_ALERT, WatchValues, alert_texts, duration, rule_file

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


def drift_alert(version: str, increases: Sequence[float], values: WatchValues = VALUES) -> dict[str, Any]:
    found = drift(np.array(increases, dtype=float), np.array(RATIOS), 2000)
    assert found is not None
    own = {"model": "desk", "version": version, "signal": "age", "window": duration(values.window)}
    return {
        "exp_labels": {"severity": "warning", **own},
        "exp_annotations": alert_texts(DRIFT_ALERT, values, own, f"{found.zscore:.3g}"),
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
    run_tests(folder)


def run_tests(folder: Path) -> None:
    """Run `promtool test rules test.yml`; fails with what it says."""
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

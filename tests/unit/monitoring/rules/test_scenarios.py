"""Generated series under the real promtool: what it records equals what the formulas say, in every window."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.monitoring.rules.promtool import RATIOS, needs_promtool, run_tests
from tests.unit.monitoring.rules.scenarios import LENGTH, SCRAPE, SHIFTED, Replica, figures, replica, series

from tuneloop.monitoring.formula import corrected
from tuneloop.monitoring.rules import CROWDED, DRIFT_ALERT, WatchValues, duration, rule_groups, to_yaml

VALUES = WatchValues("desk", window=300, longer=(600, 1800), scrape_interval=SCRAPE)
END = LENGTH - 1
OTHER = (0.1, 0.2, 0.6, 0.1)
Make = Callable[[np.random.Generator], dict[str, Replica]]

SCENARIOS: dict[str, Make] = {
    "steady": lambda random: {"a": replica(random, 40), "b": replica(random, 40), "c": replica(random, 5)},
    "one replica restarts": lambda random: {
        "a": replica(random, 40),
        "b": replica(random, 40, resets=(60, 151)),
        "c": replica(random, 40),
    },
    "a replica vanishes": lambda random: {"a": replica(random, 40), "b": replica(random, 40, gone=150)},
    "a replica joins": lambda random: {"a": replica(random, 40), "b": replica(random, 40, born=145)},
    "all restart": lambda random: {name: replica(random, 40, resets=(100, 152)) for name in "abc"},
    "no traffic lately": lambda random: {name: replica(random, 40, idle=(130, LENGTH)) for name in "ab"},
    "never any traffic": lambda random: {"a": replica(random, 0)},
    "a new version, with another reference": lambda random: {
        "a": replica(random, 60, gone=100, retired=90),
        "b": replica(random, 60, retired=95),
        "c": replica(random, 60, version="2", ratios=OTHER, shares=OTHER, born=90),
    },
    "drift": lambda random: {name: replica(random, 60, shares=SHIFTED) for name in "ab"},
    "drift, just enough traffic": lambda random: {"a": replica(random, 60, shares=SHIFTED)},
    "drift in little traffic": lambda random: {"a": replica(random, 15, shares=SHIFTED)},
    "drift in too little traffic": lambda random: {"a": replica(random, 5, shares=SHIFTED)},
}
SPEAKS = {
    "drift": {"300s"},
    "drift, just enough traffic": {"300s", "600s"},
    "drift in little traffic": {"1800s"},
}
"""Which windows alarm: a thousand rows are needed, and two thousand silence the longer windows."""


def about(expression: str, value: float | None, **labels: str) -> dict[str, Any]:
    """A check that an expression is close to a value, or has none."""
    selector = f"{expression}{{{','.join(f'{name}={json.dumps(text)}' for name, text in labels.items())}}}"
    if value is None:
        return {"expr": selector, "eval_time": _time(END), "exp_samples": []}
    near = f"abs({selector} - {value!r}) < bool {max(abs(value), 1.0) * 1e-9!r}"
    expected = {"model": "desk", "signal": "age", **labels}
    text = "{" + ",".join(f"{name}={json.dumps(label)}" for name, label in expected.items()) + "}"
    return {"expr": near, "eval_time": _time(END), "exp_samples": [{"labels": text, "value": 1}]}


def rules_of_signals() -> dict[str, Any]:
    """The rules without those of labels, whose series are absent here: promtool takes its time for each."""
    groups = rule_groups(VALUES)["groups"]
    for group in groups:
        group["rules"] = [
            rule
            for rule in group["rules"]
            if "tuneloop_signal" in rule.get("record", "") or rule.get("alert") == DRIFT_ALERT
        ]
    return {"groups": groups}


def _time(scrape: int) -> str:
    return f"{scrape * SCRAPE:.0f}s"


def firing(replicas: Mapping[str, Replica]) -> set[tuple[str, str]]:
    """The (version, window) whose alert fires at the end: its condition was met at every scrape of the last quarter."""
    found = set()
    for version in {one.version for one in replicas.values()}:
        for place, window in enumerate(VALUES.windows):
            limit = corrected(VALUES.zscore, len(VALUES.windows))
            held = range(END - int(VALUES.at(window).hold / SCRAPE), END + 1)
            if all(_met(replicas, version, at, place, limit) for at in held):
                found.add((version, duration(window)))
    return found


def _met(replicas: Mapping[str, Replica], version: str, at: int, place: int, limit: float) -> bool:
    one = figures(replicas, version, at, VALUES.windows[place])
    if one is None or one.rows < VALUES.min_rows or one.zscore <= limit or one.psi <= VALUES.psi:
        return False
    shorter = (figures(replicas, version, at, window) for window in VALUES.windows[:place])
    return all(other is None or other.rows < CROWDED * VALUES.min_rows for other in shorter)


@needs_promtool
@pytest.mark.parametrize("name", SCENARIOS)
def test_prometheus_says_what_the_formulas_say(tmp_path: Path, name: str) -> None:
    """PSI and z of every window, and the alert of the shortest one with enough rows."""
    replicas = SCENARIOS[name](np.random.default_rng(len(name)))
    checks = []
    for version in sorted({one.version for one in replicas.values()}):
        for window in VALUES.windows:
            found, text = figures(replicas, version, END, window), duration(window)
            own = {"version": version, "window": text}
            psi, zscore = (None, None) if found is None else (found.psi, found.zscore)
            checks.append(about(f"model_version_signal:tuneloop_signal_psi:ratio{text}", psi, **own))
            checks.append(about(f"model_version_signal:tuneloop_signal_psi_zscore:ratio{text}", zscore, **own))
    expected = firing(replicas)
    assert {window for _, window in expected} == SPEAKS.get(name, set())
    alerts = [
        f'{{alertname="{DRIFT_ALERT}",alertstate="firing",model="desk",severity="warning",signal="age",'
        f'version="{version}",window="{window}"}}'
        for version, window in expected
    ]
    checks.append(
        {
            "expr": f'ALERTS{{alertname="{DRIFT_ALERT}",alertstate="firing"}} * 1',
            "eval_time": _time(END),
            "exp_samples": [{"labels": alert, "value": 1} for alert in alerts],
        }
    )
    content = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": series(replicas), "promql_expr_test": checks}],
    }
    (tmp_path / "rules.yml").write_text(to_yaml(rules_of_signals()))
    (tmp_path / "test.yml").write_text(json.dumps(content))
    run_tests(tmp_path)


def test_the_scenarios_differ_from_no_drift_by_their_shares_alone() -> None:
    assert sum(RATIOS) == pytest.approx(sum(SHIFTED)) == pytest.approx(sum(OTHER)) == 1

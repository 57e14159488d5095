"""The embedded watcher and the real Prometheus and Alertmanager, on the same counters."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from tuneloop.api import ServingError
from tuneloop.monitoring.formula import drift
from tuneloop.monitoring.rules import WatchValues
from tuneloop.monitoring.stack import Delays, Stack, alertmanager_config, find_stack, prometheus_config, retention
from tuneloop.monitoring.watcher import Watcher
from tuneloop.monitoring.webhook import get

needs_stack = pytest.mark.skipif(find_stack() is None, reason="prometheus and alertmanager are not on the PATH")
VALUES = WatchValues("desk", window=20, min_rows=500, min_labels=100, scrape_interval=1)
RATIOS = {"low": 0.01, "00: 0 to 1": 0.5, "01: 1 to 2": 0.45, "high": 0.02, "missing": 0.02}
SCRAPES_BEFORE = 15
"""Scrapes before the counters move: over a window of few scrapes `increase` extrapolates by a large part."""
PSI_TOLERANCE, Z_TOLERANCE = 0.01, 0.05
"""Relative. The two scrape at different moments, and `increase` extrapolates by up to one scrape in fifteen: that moves
N by 7 %, z by a third of it, and PSI hardly."""


class Counters:
    """What a server counts; `age` is going to drift, `size` is not, and half of the answers are wrong."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        each = ["model", "version", "signal", "bin"]
        self.seen = Counter("tuneloop_signal_observations", "x", each, registry=self.registry)
        ratio = Gauge("tuneloop_signal_reference_ratio", "x", each, registry=self.registry)
        self.labels = Counter("tuneloop_labels", "x", ["model", "version", "outcome"], registry=self.registry)
        score = Gauge("tuneloop_reference_score_ratio", "x", ["model", "version"], registry=self.registry)
        rows = Gauge("tuneloop_signal_reference_rows", "x", ["model", "version"], registry=self.registry)
        rows.labels("desk", "1").set(3000)
        score.labels("desk", "1").set(0.9)
        for signal in ("age", "size"):
            for name, share in RATIOS.items():
                ratio.labels("desk", "1", signal, name).set(share)
                self.seen.labels("desk", "1", signal, name)
        for outcome in ("correct", "wrong"):
            self.labels.labels("desk", "1", outcome)

    def burst(self) -> None:
        for signal, counts in (("age", (15, 200, 700, 60, 25)), ("size", (10, 500, 450, 20, 20))):
            for name, count in zip(RATIOS, counts, strict=True):
                self.seen.labels("desk", "1", signal, name).inc(count)
        self.labels.labels("desk", "1", "correct").inc(150)
        self.labels.labels("desk", "1", "wrong").inc(150)

    def text(self) -> str:
        return generate_latest(self.registry).decode()


def query(stack: Stack, expression: str) -> dict[str, float]:
    """The value of each signal, or version where there is none."""
    answer = json.loads(get(f"{stack.prometheus_url}/api/v1/query?query={quote(expression)}"))
    return {
        one["metric"].get("signal", one["metric"].get("version", "")): float(one["value"][1])
        for one in answer["data"]["result"]
    }


def shown(bodies: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """Alerts of one status by name: labels, fingerprint and the group they came in."""
    return {
        alert["labels"]["alertname"]: (
            alert["labels"],
            alert["fingerprint"],
            body["groupKey"],
            body["groupLabels"],
            body["commonLabels"],
            body["version"],
        )
        for body in bodies
        for alert in body["alerts"]
        if alert["status"] == status
    }


@needs_stack
def test_the_watcher_says_what_prometheus_and_alertmanager_say(
    tmp_path: Path, page: Any, receiver: Any, second_receiver: Any, wait_until: Any
) -> None:
    counters = Counters()
    page.text = counters.text
    token = tmp_path / "token"
    token.write_text("secret")
    delays = Delays(group_wait=0.1, group_interval=1.0)
    watcher = Watcher(VALUES, [page.url], second_receiver.url, "secret")
    psi, zscore = (f"model_version_signal:tuneloop_signal_{name}:ratio20s" for name in ("psi", "psi_zscore"))
    with Stack(tmp_path / "stack", VALUES, [page.url], receiver.url, token, delays=delays) as stack:
        stack.wait_ready()
        watcher.start()
        try:
            scrapes = 'min by (signal) (count_over_time(tuneloop_signal_observations_total{signal="age"}[20s]))'
            wait_until(lambda: query(stack, scrapes).get("age", 0) >= SCRAPES_BEFORE)
            wait_until(lambda: min(map(len, watcher._windows[20]._samples.values())) >= SCRAPES_BEFORE)
            counters.burst()
            wait_until(lambda: set(query(stack, zscore)) == {"age", "size"})
            wait_until(lambda: set(watcher.snapshot.drift) == {("1", "age"), ("1", "size")})

            expected = drift(np.array([15, 200, 700, 60, 25.0]), np.array(list(RATIOS.values())), 3000)
            assert expected is not None
            theirs_psi, theirs_z = query(stack, psi)["age"], query(stack, zscore)["age"]
            ours = watcher.snapshot.drift["1", "age"]
            assert math.isclose(ours.psi, theirs_psi, rel_tol=PSI_TOLERANCE)
            assert math.isclose(ours.zscore, theirs_z, rel_tol=Z_TOLERANCE)
            assert math.isclose(ours.psi, expected.psi, rel_tol=PSI_TOLERANCE)
            assert math.isclose(theirs_z, expected.zscore, rel_tol=Z_TOLERANCE)
            assert query(stack, zscore)["size"] < 0
            upper = query(stack, "model_version:tuneloop_accuracy_upper:ratio20s")["1"]
            assert math.isclose(watcher.snapshot.accuracy["1"].upper, upper, rel_tol=PSI_TOLERANCE)

            both = {"TuneloopSignalDrift", "TuneloopAccuracyLow"}
            for status in ("firing", "resolved"):
                wait_until(lambda status=status: set(shown(receiver.bodies, status)) == both, 60)
                wait_until(lambda status=status: set(shown(second_receiver.bodies, status)) == both, 60)
                assert shown(receiver.bodies, status) == shown(second_receiver.bodies, status)
            assert set(receiver.tokens) == set(second_receiver.tokens) == {"Bearer secret"}
            assert set(receiver.bodies[0]) == set(second_receiver.bodies[0])
            assert set(receiver.bodies[0]["alerts"][0]) == set(second_receiver.bodies[0]["alerts"][0])
            drifted = [body for body in receiver.bodies if body["groupLabels"]["alertname"] == "TuneloopSignalDrift"]
            assert drifted[0]["alerts"][0]["labels"]["signal"] == "age"
        finally:
            watcher.stop()


def test_the_token_stands_in_no_configuration() -> None:
    text = alertmanager_config("http://127.0.0.1:3001/alerts", "/secrets/token")
    assert "credentials_file: /secrets/token" in text
    config = prometheus_config(VALUES, ["http://127.0.0.1:3000/metrics"], "127.0.0.1:9093", "rules.yml")
    assert "127.0.0.1:3000" in config
    assert "scrape_interval: 1s" in config
    assert "authorization" not in config
    pages = ["http://127.0.0.1:3000/metrics"]
    guarded = prometheus_config(VALUES, pages, "127.0.0.1:9093", "rules.yml", "/secrets/page")
    assert "credentials_file: /secrets/page" in guarded


@needs_stack
def test_a_program_that_ends_is_quoted(tmp_path: Path) -> None:
    with (
        Stack(tmp_path, VALUES, ["http://127.0.0.1:9/metrics"], "not an address") as stack,
        pytest.raises(ServingError, match=r"alertmanager ended(?s:.*)unsupported scheme"),
    ):
        stack.wait_ready()


def test_absent_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServingError, match="apt-get install prometheus"):
        Stack(tmp_path, VALUES, ["http://127.0.0.1:9/metrics"], "http://127.0.0.1:9/")


def test_samples_are_kept_for_the_longest_window_twice() -> None:
    assert retention(VALUES) == 15 * 86_400
    assert retention(WatchValues("desk", window=3600, longer=(30 * 86_400.0,))) == 60 * 86_400

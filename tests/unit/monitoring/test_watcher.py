from __future__ import annotations

import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from tuneloop.api import ServingError
from tuneloop.monitoring.exposition import parse
from tuneloop.monitoring.rules import WatchValues
from tuneloop.monitoring.watcher import Watcher


class Server:
    """A server's metrics in a registry of its own."""

    def __init__(self, version: str = "1") -> None:
        self.registry = CollectorRegistry()
        one = ["model", "version"]
        self.version = version
        self.seen = Counter("tuneloop_signal_observations", "x", [*one, "signal", "bin"], registry=self.registry)
        self.ratio = Gauge("tuneloop_signal_reference_ratio", "x", [*one, "signal", "bin"], registry=self.registry)
        self.rows = Gauge("tuneloop_signal_reference_rows", "x", one, registry=self.registry)
        self.labels = Counter("tuneloop_labels", "x", [*one, "outcome"], registry=self.registry)
        self.score = Gauge("tuneloop_reference_score_ratio", "x", one, registry=self.registry)
        Counter("other", "x", registry=self.registry).inc()
        self.rows.labels("desk", version).set(2000)
        self.score.labels("desk", version).set(0.9)
        for name, share in (("low", 0.2), ("mid", 0.6), ("missing", 0.2)):
            self.ratio.labels("desk", version, "age", name).set(share)
            self.seen.labels("desk", version, "age", name)
            self.ratio.labels("else", version, "age", name).set(share)
        for outcome in ("correct", "wrong"):
            self.labels.labels("desk", version, outcome)

    def see(self, low: int, mid: int, missing: int) -> None:
        for name, count in (("low", low), ("mid", mid), ("missing", missing)):
            self.seen.labels("desk", self.version, "age", name).inc(count)

    def text(self) -> str:
        return generate_latest(self.registry).decode()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


VALUES = WatchValues("desk", window=40, min_rows=500, min_labels=100, scrape_interval=1)


def test_drift_fires_and_resolves_in_time(page: Any, receiver: Any) -> None:
    server, clock = Server(), Clock()
    page.text = server.text
    watcher = Watcher(VALUES, [page.url], receiver.url, "secret", clock=clock)
    fired = resolved = None
    for second in range(120):
        server.see(*((4, 12, 4) if second < 40 or second >= 70 else (12, 4, 4)))
        watcher.look()
        if receiver.bodies and fired is None:
            fired = second
        if len(receiver.bodies) > 1 and resolved is None:
            resolved = second
        clock.now += 1
    assert fired is not None
    assert resolved is not None
    assert 50 <= fired < 70
    assert 70 < resolved < 115
    assert [body["status"] for body in receiver.bodies] == ["firing", "resolved"]
    assert receiver.bodies[0]["alerts"][0]["labels"] == {
        "alertname": "TuneloopSignalDrift",
        "model": "desk",
        "version": "1",
        "signal": "age",
        "severity": "warning",
        "window": "40s",
    }
    assert receiver.tokens == ["Bearer secret"] * 2
    assert watcher.snapshot.drift["1", "age"].rows == pytest.approx(800, rel=0.03)


def test_bad_answers_alarm_and_a_retired_version_does_not(page: Any, receiver: Any) -> None:
    server, clock = Server(), Clock()
    page.text = server.text
    watcher = Watcher(VALUES, [page.url], receiver.url, clock=clock)
    for _ in range(60):
        server.labels.labels("desk", "1", "correct").inc(5)
        server.labels.labels("desk", "1", "wrong").inc(5)
        watcher.look()
        clock.now += 1
    assert [alert["labels"]["alertname"] for body in receiver.bodies for alert in body["alerts"]] == [
        "TuneloopAccuracyLow"
    ]
    accuracy = watcher.snapshot.accuracy["1"]
    assert accuracy.share == pytest.approx(0.5)
    assert accuracy.labels == pytest.approx(400, rel=0.03)
    server.score.labels("desk", "1").set(0)
    watcher.look()
    assert watcher.snapshot.accuracy == {}
    assert receiver.bodies[-1]["status"] == "resolved"


def test_a_server_that_is_away_breaks_nothing(receiver: Any, caplog: Any) -> None:
    clock = Clock()
    watcher = Watcher(VALUES, ["http://127.0.0.1:9/metrics"], receiver.url, clock=clock)
    with caplog.at_level(logging.WARNING):
        assert watcher.look().drift == {}
    assert "http://127.0.0.1:9/metrics" in caplog.text


def test_the_thread_looks_and_stops(page: Any, receiver: Any, wait_until: Any) -> None:
    server = Server()
    page.text = server.text
    values = WatchValues("desk", window=2, min_rows=1, psi=0.01, zscore=0.5, scrape_interval=0.05)
    watcher = Watcher(values, [page.url], receiver.url)
    watcher.start()
    try:
        wait_until(lambda: watcher._windows[2]._samples)
        server.see(500, 0, 0)
        wait_until(lambda: receiver.bodies)
    finally:
        watcher.stop()
    assert watcher._thread is not None
    assert not watcher._thread.is_alive()


def test_a_page_that_is_not_metrics_is_refused() -> None:
    with pytest.raises(ServingError, match="text format"):
        parse('tuneloop_x{model="desk"} many\n', "tuneloop_", {})
    assert parse("<html>hello</html>", "tuneloop_", {}) == {}


def shown(receiver: Any) -> set[tuple[str, str]]:
    return {(a["labels"]["alertname"], a["labels"]["window"]) for body in receiver.bodies for a in body["alerts"]}


@pytest.mark.parametrize(("rows", "seconds", "window"), [(0.25, 86_400 * 2, "86400s"), (600, 3600, "600s")])
def test_the_window_fits_the_traffic(page: Any, receiver: Any, rows: float, seconds: int, window: str) -> None:
    """Two rows a minute are judged over a day, much traffic over ten minutes; a longer window then keeps silent."""
    server, clock = Server(), Clock()
    page.text = server.text
    step = 240 if rows < 1 else 15
    values = WatchValues("desk", window=600, longer=(3600, 86_400, 604_800), min_rows=1000, scrape_interval=15)
    watcher = Watcher(values, [page.url], receiver.url, clock=clock)
    for _ in range(seconds // step):
        server.see(*(round(rows * step / 20) * share for share in (12, 4, 4)))
        watcher.look()
        clock.now += step
    assert shown(receiver) == {("TuneloopSignalDrift", window)}
    assert max(len(one) for held in watcher._windows.values() for one in held._samples.values()) <= 243


def test_labels_are_judged_in_the_shortest_window_that_holds_enough(page: Any, receiver: Any) -> None:
    server, clock = Server(), Clock()
    page.text = server.text
    values = WatchValues("desk", window=40, longer=(200,), min_labels=100, scrape_interval=5)
    watcher = Watcher(values, [page.url], receiver.url, clock=clock)
    for _ in range(80):
        server.labels.labels("desk", "1", "correct").inc(2)
        server.labels.labels("desk", "1", "wrong").inc(2)
        watcher.look()
        clock.now += 5
    assert shown(receiver) == {("TuneloopAccuracyLow", "200s")}
    assert list(watcher.snapshots) == [40, 200]


def test_a_rise_that_the_loop_shows_alarms_at_once_and_a_fall_ends_it(page: Any, receiver: Any) -> None:
    server, clock = Server(), Clock()
    page.text = server.text
    each = ["model", "version", "detector"]
    error = Gauge("tuneloop_detector_error_ratio", "x", each, registry=server.registry)
    name = "tuneloop_detector_last_change_timestamp_seconds"
    last = Gauge(name, "x", [*each, "direction"], registry=server.registry)
    error.labels("desk", "1", "adwin").set(0.25)
    last.labels("desk", "1", "adwin", "rise").set(0)
    watcher = Watcher(VALUES, [page.url], receiver.url, clock=clock)
    watcher.look()
    assert receiver.bodies == []
    last.labels("desk", "1", "adwin", "rise").set(clock.now)
    clock.now += 1
    watcher.look()
    (alert,) = receiver.bodies[0]["alerts"]
    assert alert["labels"] == {
        "alertname": "TuneloopConceptDrift",
        "model": "desk",
        "version": "1",
        "detector": "adwin",
        "severity": "warning",
    }
    assert "0.25" in alert["annotations"]["description"]
    last.labels("desk", "1", "adwin", "fall").set(clock.now)
    clock.now += 1
    watcher.look()
    assert receiver.bodies[-1]["status"] == "resolved"

"""Three replicas of one model under one Prometheus, one of them killed and started again: no row is counted wrongly."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import psutil
import pytest

from tuneloop.api import Signal, SignalBatch
from tuneloop.artifact import REFERENCE, Artifact, seal
from tuneloop.monitoring.formula import Drift, drift
from tuneloop.monitoring.reference import Reference, build_reference, read_signal
from tuneloop.monitoring.rules import WatchValues
from tuneloop.monitoring.stack import Stack, find_stack, free_port
from tuneloop.monitoring.webhook import get
from tuneloop.report.drift.answered import signals_of
from tuneloop.serving.loader import load_version
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import ServerProcess, start_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_stack() is None, reason="prometheus and alertmanager are not on the PATH"),
]

NAME = "tiny-income"
WINDOW = 300
"""Seconds: longer than the test, so that every row is within."""
REFERENCE_ROWS = 1500
ROWS, PAUSE = 40, 0.1
"""Rows of a request, and seconds between two."""
BEFORE, AFTER = 12.0, 10.0
"""Seconds of traffic before the kill, and after the return."""
TOLERANCE = 0.05
LAST = 3.0
"""Seconds until what was answered last has been flushed, scraped and evaluated, each once a second."""
PATIENCE = 300.0


def helpers() -> Any:
    """The conftest of the serving tests, which makes tiny artifacts."""
    name = "replicas_serving_conftest"
    path = Path(__file__).parents[1] / "unit" / "serving" / "conftest.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Replica:
    """A server, and the rows it answered."""

    start: Callable[[], ServerProcess]
    server: ServerProcess
    answered: list[dict[str, Any]] = field(default_factory=list)
    failed: int = 0

    def kill(self) -> None:
        """As a machine that loses power: the supervisor and its workers, which have groups of their own."""
        root = psutil.Process(self.server.pid)
        workers = root.children(recursive=True)
        for process in (root, *workers):
            process.kill()
        self.server.wait()
        psutil.wait_procs(workers, PATIENCE)

    def work(self, make: Callable[[int], list[dict[str, Any]]], seed: int, stopping: threading.Event) -> None:
        """Ask until it is enough; a request without an answer counts as not sent."""
        with httpx.Client(timeout=120) as client:
            while not stopping.wait(PAUSE):
                seed += 1
                rows = make(seed)
                try:
                    client.post(f"{self.server.url}/predict", json={"rows": rows}).raise_for_status()
                except httpx.TransportError:
                    self.failed += 1
                else:
                    self.answered += rows


def shifted(seed: int) -> list[dict[str, Any]]:
    """Rows as those of the reference, but older, and with fewer jobs known."""
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = helpers_rows(ROWS, seed)
    for row in rows:
        row["age"] = float(row["age"]) + 6.0
        row["job"] = None if random.random() < 0.1 else row["job"]
    return rows


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A tiny artifact with a reference of many rows."""
    folder = tmp_path_factory.mktemp("artifact") / "tiny"
    made: Artifact = helpers().make_artifact(folder, 1)
    signals, batch = answers(made, helpers_rows(REFERENCE_ROWS, 77))
    build_reference(signals, [batch], errors=[0.0] * REFERENCE_ROWS).save(folder / REFERENCE)
    return seal(folder, made.manifest)


def helpers_rows(count: int, seed: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = helpers().make_rows(count, seed)
    return rows


def answers(artifact: Artifact, rows: list[dict[str, Any]]) -> tuple[tuple[Signal, ...], SignalBatch]:
    """The signals of a model, and rows with its answers."""
    loaded = load_version(artifact.folder, "1")
    signals = signals_of(loaded)
    done = loaded.predictor.predict(rows)
    return signals, SignalBatch(done.rows, done.encoded, done.outputs, done.answers)


def offline(artifact: Artifact, rows: list[dict[str, Any]]) -> dict[str, Drift]:
    """The figures of each signal, from the rows themselves."""
    reference = Reference.load(artifact.folder / REFERENCE)
    signals, batch = answers(artifact, rows)
    found = {}
    for one in signals:
        bins = reference.by_label[one.label]
        counts = np.bincount(bins.index(read_signal(one, batch)), minlength=len(bins.names))
        figures = drift(counts, bins.ratios, reference.rows)
        assert figures is not None
        found[one.label] = figures
    return found


@pytest.fixture
def replicas(tmp_path: Path, artifact: Artifact) -> Iterator[list[Replica]]:
    bento = str(bento_folder(tmp_path / "store", build_bento(artifact, "1", home=tmp_path / "store")))
    made = []
    with ExitStack() as stack:
        for name in "abc":
            port, home, log = free_port(), tmp_path / name, tmp_path / f"{name}.txt"

            def start(port: int = port, home: Path = home, log: Path = log) -> ServerProcess:
                return start_server(bento, home=home, log=log, port=port)

            replica = Replica(start, start())
            stack.callback(lambda replica=replica: replica.server.stop())
            made.append(replica)
        for replica in made:
            replica.server.wait_ready(PATIENCE)
        yield made


def test_psi_and_z_are_those_of_every_row_although_a_replica_was_killed(
    tmp_path: Path, artifact: Artifact, replicas: list[Replica]
) -> None:
    values = WatchValues(NAME, window=WINDOW, scrape_interval=1)
    pages = [f"{replica.server.url}/metrics" for replica in replicas]
    with Stack(tmp_path / "stack", values, pages, "http://127.0.0.1:9/alerts") as stack:
        stack.wait_ready()

        def ask(expression: str) -> dict[str, float]:
            answer = json.loads(get(f"{stack.prometheus_url}/api/v1/query?query={quote(expression)}"))
            return {one["metric"].get("signal", ""): float(one["value"][1]) for one in answer["data"]["result"]}

        # Counters are seen at 0 before the first row: what they hold when they are first seen is not an increase.
        until(
            lambda: ask('count(count by (instance) (tuneloop_signal_observations_total{signal="answer"}))') == {"": 3}
        )
        stopping = threading.Event()
        with ThreadPoolExecutor(len(replicas)) as pool:
            working = [
                pool.submit(replica.work, shifted, 10_000 * (place + 1), stopping)
                for place, replica in enumerate(replicas)
            ]
            try:
                stopping.wait(BEFORE)
                victim, before = replicas[1], len(replicas[1].answered)
                victim.kill()
                victim.server = victim.start()
                victim.server.wait_ready(PATIENCE)
                until(lambda: len(victim.answered) > before)
                stopping.wait(AFTER)
            finally:
                stopping.set()
            for one in working:
                one.result()
        ended = time.time()
        assert victim.failed > 0
        sent = [row for replica in replicas for row in replica.answered]
        expected = offline(artifact, sent)
        rows = f"model_version_signal:tuneloop_signal_observations:increase{WINDOW}s"
        # What the killed replica had counted since its last flush and scrape, two seconds at most, is lost.
        until(lambda: ask(f"min(timestamp({rows}))")[""] > ended + LAST)
        psi, zscore = (
            ask(f"model_version_signal:tuneloop_signal_{name}:ratio{WINDOW}s") for name in ("psi", "psi_zscore")
        )
        assert set(psi) == set(zscore) == set(expected)
        counted = ask(rows)
        for label, figures in expected.items():
            assert counted[label] == pytest.approx(len(sent), rel=TOLERANCE)
            assert psi[label] == pytest.approx(figures.psi, rel=TOLERANCE, abs=0.001), label
            assert zscore[label] == pytest.approx(figures.zscore, rel=TOLERANCE, abs=0.25), label
        drifted = [label for label, figures in expected.items() if figures.zscore > 10]
        assert {"column:age", "column:job"} <= set(drifted)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.2)

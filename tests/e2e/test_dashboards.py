"""Every query of every dashboard, asked of a real Prometheus that looks at a real server and the loop's own page."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn

from tuneloop.loop.brain import Brain
from tuneloop.loop.deciding.decisions import Decisions
from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.receiver import Receiver, create_app
from tuneloop.loop.records import Database
from tuneloop.monitoring.grafana.build import Look, dashboards
from tuneloop.monitoring.metrics import (
    COUNTED,
    LABEL_CHANGES,
    RIGHT,
    SHADOW_OUTCOMES,
    detector_metrics,
    loop_metrics,
    metrics,
)
from tuneloop.monitoring.rules import WatchValues
from tuneloop.monitoring.stack import Delays, Stack, find_stack, free_port
from tuneloop.monitoring.store import PredictionStore
from tuneloop.monitoring.webhook import get
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import start_server
from tuneloop.serving.versions.channel import Channel, ChannelEntry, write_channel

pytestmark = pytest.mark.skipif(find_stack() is None, reason="prometheus and alertmanager are not on the PATH")

MODEL, CHALLENGER, TOKEN = "tiny-income", "3", "token-of-the-loop"
SIGNAL = "column:hours per week"
UNIT = Path(__file__).parents[1] / "unit"
FILLED = {
    "model": MODEL,
    "version": "(1|2)",
    "signal": SIGNAL,
    "challenger": CHALLENGER,
    "window": "8s",
    "slice": "column:job",
}
SECONDS = 300.0
"""Patience on a slow machine; it takes about 20."""


def helpers(package: str) -> Any:
    """The conftest of another folder."""
    name = f"dashboards_{package}_conftest"
    spec = importlib.util.spec_from_file_location(name, UNIT / package / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Question:
    """One query of a dashboard, with the reader's choices filled in."""

    where: str
    expression: str


def filled(text: str) -> str:
    chosen = {**FILLED, "__rate_interval": "8s", "__range": "1m"}
    return re.sub(r"\$(\w+)", lambda found: chosen[found[1]], text)


def questions(name: str, dashboard: dict[str, Any]) -> Iterator[Question]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Question(f"{name}: {panel['title']} {target['refId']}", filled(target["expr"]))
    for note in dashboard["annotations"].get("list", ()):
        yield Question(f"{name}: {note['name']}", filled(note["expr"]))


def choices(name: str, dashboard: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Where a choice stands, the series behind it, and the label."""
    for one in dashboard["templating"]["list"]:
        if one["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", one["query"]["query"])
            assert found is not None
            yield f"{name}: ${one['name']}", filled(found[1]), found[2]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[str]:
    """The address of a loop that decides, and never gets to train."""
    project = replace(helpers("loop").make_project(tmp_path / "project"), name=MODEL)
    database = Database(f"sqlite:///{tmp_path}/loop.db", MODEL)
    store = PredictionStore(f"sqlite:///{tmp_path}/predictions.db")
    decisions, evidence = Decisions(database, time.time), EvidenceReader(store, MODEL)
    observers = helpers("loop").Observers()
    brain = Brain(project, observers, decisions, evidence, loop_metrics(), lambda _: "PENDING", time.time)
    port = free_port()
    app = create_app(Receiver(brain, TOKEN, ready=lambda: True))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
        store.close()
        database.close()


@dataclass
class World:
    """A server with traffic whose values have shifted, and labels that come back."""

    client: httpx.Client
    rows: list[dict[str, Any]]
    point: Callable[..., None]
    stopping: threading.Event

    def work(self) -> None:
        """Ask, label, and be refused, until it is enough."""
        while not self.stopping.wait(0.1):
            body = self.client.post("/predict", json={"rows": self.rows}).json()
            items = [{"id": one["id"], "label": "low"} for one in body["predictions"]]
            self.client.post("/feedback", json={"items": [*items, {"id": "unknown", "label": "low"}]})
            self.client.post("/predict", json={"rows": [{"age": "old"}]})
            count_what_does_not_happen()


def count_what_does_not_happen() -> None:
    """Trainings that ended, a challenger, texts, a broken signal: their own tests show that they are counted so."""
    loop, server = loop_metrics(), metrics()
    detectors = detector_metrics()
    detectors.changes.labels(MODEL, "1", "adwin", "rise").inc()
    detectors.error_ratio.labels(MODEL, "1", "adwin").set(0.3)
    loop.runs.labels(MODEL, "promoted").inc()
    loop.run_seconds.labels(MODEL).observe(90)
    loop.stage_seconds.labels(MODEL, "canary").observe(60)
    loop.rollbacks.labels(MODEL, "latency").inc()
    server.signal_failures.labels(MODEL, "1", "broken").inc()
    server.challenger_workers.labels(MODEL, CHALLENGER, "0" * 64, "shadow").set(1)
    server.challenger_failures.labels(MODEL, CHALLENGER, "raised").inc()
    server.challenger_refusals.labels(MODEL, "unreadable").inc()
    server.shadow_seconds.labels(MODEL, CHALLENGER).observe(0.01)
    server.shadow_squared_error.labels(MODEL, CHALLENGER, "1", "champion").inc(0.5)
    for outcome in SHADOW_OUTCOMES:
        server.shadow_rows.labels(MODEL, CHALLENGER, "1", outcome).inc()
    server.generations_active.labels(MODEL, "1").set(1)
    server.generations.labels(MODEL, "1", "stop").inc()
    server.prompt_tokens.labels(MODEL, "1").inc(20)
    server.generated_tokens.labels(MODEL, "1").inc(9)
    server.first_token_seconds.labels(MODEL, "1").observe(0.2)
    server.token_seconds.labels(MODEL, "1").observe(0.02)
    for power, change in itertools.product("124", LABEL_CHANGES):
        # Answers that are numbers.
        server.label_error_power.labels(MODEL, "1", power, change).inc(2.0 if change == COUNTED else 1.0)
    for right in RIGHT:
        server.shadow_labels.labels(MODEL, CHALLENGER, "1", right).inc()


@pytest.fixture
def world(tmp_path: Path, artifacts: dict[str, Any]) -> Iterator[World]:
    home, channel = tmp_path / "store", str(tmp_path / "channel.json")
    bento = bento_folder(home, build_bento(artifacts["1"], "1", home=home))

    def point(version: str, sha256: str = "") -> None:
        artifact = artifacts[version]
        entry = ChannelEntry(version=version, artifact=str(artifact.folder), sha256=sha256 or artifact.sha256)
        write_channel(channel, Channel(model=MODEL, champion=entry, updated="now"))

    point("1")
    store_url = f"sqlite:///{tmp_path}/predictions.db"
    log = tmp_path / "server.txt"
    server = start_server(
        str(bento), home=tmp_path / "home", log=log, port=free_port(), channel=channel, store_url=store_url
    )
    with server, httpx.Client(base_url=server.url, timeout=120) as client:
        server.wait_ready(SECONDS)
        rows = [{"age": 79.0, "hours per week": 59.0, "job": "pilot"}] * 20
        world = World(client, rows, point, threading.Event())
        # Made here: two threads that make collectors for the first time at once would trip over each other.
        for make in (metrics, loop_metrics, detector_metrics):
            make()
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(world.work)
            try:
                yield world
            finally:
                world.stopping.set()
            working.result()


@pytest.fixture
def artifacts(tmp_path: Path) -> dict[str, Any]:
    make = helpers("serving").make_artifact
    return {version: make(tmp_path / f"artifact-{version}", int(version)) for version in ("1", "2")}


def test_every_query_answers(tmp_path: Path, world: World, receiver: str) -> None:
    values = WatchValues(
        MODEL,
        window=8,
        min_rows=50,
        min_labels=50,
        # The loop's page holds the series of every test of this process: it takes a moment.
        scrape_interval=2,
        grafana="http://grafana:3100",
        runbook="http://r/",
    )
    token = tmp_path / "token"
    token.write_text(TOKEN)
    made = {name: json.loads(text) for name, text in dashboards(Look()).items()}
    asked = [question for name, dashboard in made.items() for question in questions(name, dashboard)]
    offered = [choice for name, dashboard in made.items() for choice in choices(name, dashboard)]
    assert len(asked) > 60
    pages = [f"{world.client.base_url}/metrics", f"{receiver}/metrics"]
    delays = Delays(group_wait=1, group_interval=1)
    with Stack(tmp_path, values, pages, f"{receiver}/alerts", token, delays=delays) as stack:
        stack.wait_ready()

        def ask(expression: str) -> list[dict[str, Any]]:
            answer = json.loads(get(f"{stack.prometheus_url}/api/v1/query?query={quote(expression)}"))
            return [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]

        def offers(series: str, label: str) -> set[str]:
            found = json.loads(get(f"{stack.prometheus_url}/api/v1/label/{label}/values?match[]={quote(series)}"))
            return set(found["data"])

        until(lambda: ask('tuneloop_live_version{version="1"} > 0'))
        world.point("2")
        until(lambda: ask('tuneloop_live_version{version="2"} > 0'))
        world.point("1", "f" * 64)
        empty = dict.fromkeys(asked, True)

        def all_answered() -> bool:
            for question in [question for question, unanswered in empty.items() if unanswered]:
                empty[question] = not ask(question.expression)
            return not any(empty.values())

        until(all_answered, lambda: [question for question, unanswered in empty.items() if unanswered])
        chosen = {where: offers(series, label) for where, series, label in offered}
        for where, found in chosen.items():
            name = where.rpartition("$")[2]
            assert {**FILLED, "version": "2"}[name] in found
        assert chosen["drift: $version"] == {"1", "2"}

        def links() -> set[str]:
            alerts = json.loads(get(f"{stack.prometheus_url}/api/v1/alerts"))["data"]["alerts"]
            return {alert["annotations"]["dashboard_url"] for alert in alerts if alert["labels"].get("signal")}

        # A slow moment leaves a window with too few rows, and no alert in it.
        until(
            lambda: any(link.endswith("&var-signal=column%3Ahours+per+week&var-window=8s") for link in links()), links
        )
        start = "http://grafana:3100/d/tuneloop-drift?var-model=tiny-income&"
        assert all(link.startswith(start) for link in links())
        decided = ask('tuneloop_loop_alerts_total{alert="TuneloopSignalDrift"}')
        # Other tests of this process may have counted alerts of their own projects.
        assert MODEL in {one["metric"]["model"] for one in decided}


def until(condition: Callable[[], Any], said: Callable[[], Any] = lambda: "") -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, said()
        threading.Event().wait(0.2)

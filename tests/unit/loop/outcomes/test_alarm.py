"""From flipped labels to a decision: detectors, metrics, a watcher, the webhook, the policy. No training follows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tuneloop.loop.brain import Brain
from tuneloop.loop.deciding.decisions import Decisions
from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.receiver import Receiver, create_app
from tuneloop.loop.records import AlertRecord, Database
from tuneloop.monitoring.metrics import loop_metrics
from tuneloop.monitoring.rules import CONCEPT_ALERT, WatchValues
from tuneloop.monitoring.stack import Delays, Stack, find_stack, free_port
from tuneloop.monitoring.watcher import Watcher

TOKEN = "token-of-the-loop"
SECONDS = 300.0


@dataclass
class Loop:
    """A receiver at an address, the world behind it, and its decisions."""

    world: Any
    url: str
    server: str
    decisions: Decisions

    def decided(self) -> list[AlertRecord]:
        """Decisions on concept drift; waits until there is one."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = [record for record in self.decisions.recent_alerts(20) if record.alert == CONCEPT_ALERT]
            if found:
                return found
            threading.Event().wait(0.05)
        raise AssertionError(f"no alert within {SECONDS} s")


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture
def loop(world: Any, tmp_path: Path) -> Iterator[Loop]:
    world.clock = time.time
    world.store._clock = time.time
    world.project = replace(world.project, retrain=replace(world.project.retrain, on=("concept",), max_label_noise=1.0))
    database = Database(f"sqlite:///{tmp_path}/loop.db", world.project.name)
    decisions, evidence = Decisions(database, time.time), EvidenceReader(world.store, world.project.name)

    class Deaf:
        def notify(self, hook: str, event: object) -> None: ...

    brain = Brain(world.project, Deaf(), decisions, evidence, loop_metrics(), lambda _: "PENDING", time.time)  # type: ignore[arg-type]
    port = free_port()
    app = create_app(Receiver(brain, TOKEN, ready=lambda: True))
    receiver = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    model = world.project.name

    class Page(BaseHTTPRequestHandler):
        """What a server shows of the version it serves."""

        def do_GET(self) -> None:
            text = f'tuneloop_signal_reference_rows{{model="{model}",version="1"}} 2000\n'
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    page = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threads = [threading.Thread(target=call) for call in (receiver.run, page.serve_forever)]
    for thread in threads:
        thread.start()
    try:
        yield Loop(world, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{page.server_port}/metrics", decisions)
    finally:
        receiver.should_exit = True
        page.shutdown()
        for thread in threads:
            thread.join(30)
        page.server_close()
        database.close()


def values(loop: Loop) -> WatchValues:
    # The page holds the series of every test of this process: it takes a moment.
    return WatchValues(loop.world.project.name, window=60, scrape_interval=3)


def play(loop: Loop) -> None:
    """Right answers, then wrong ones; both kinds of label, so that the rows can be learned from."""
    world = loop.world
    with world.reader(tick=0.05):
        labels = "a" * 30 + "b" * 30
        world.store.add_labels(list(zip(world.answer(len(labels)), labels, strict=True)))
        (record, *_) = loop.decided()
    assert (record.outcome, record.reason) == ("accepted", "accepted"), record.sentence
    assert record.version == "1"


def test_the_embedded_watcher(loop: Loop) -> None:
    watcher = Watcher(values(loop), [loop.server, f"{loop.url}/metrics"], f"{loop.url}/alerts", TOKEN)
    watcher.start()
    try:
        play(loop)
    finally:
        watcher.stop()


@pytest.mark.skipif(find_stack() is None, reason="prometheus and alertmanager are not on the PATH")
def test_prometheus_and_alertmanager(loop: Loop, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    delays = Delays(group_wait=0.1, group_interval=1.0)
    pages = [loop.server, f"{loop.url}/metrics"]
    with Stack(tmp_path / "watch", values(loop), pages, f"{loop.url}/alerts", token, delays=delays) as stack:
        stack.wait_ready()
        play(loop)

"""The durable workflow in a real process that is killed and started again: nothing is lost, nothing is done twice."""

from __future__ import annotations

import contextlib
import http.server
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import ServingError
from tuneloop.artifact import Artifact, DataUse, Lineage, Manifest, Parity, Part, Signature, seal, write_atomic
from tuneloop.loop.history import read_history
from tuneloop.monitoring.alerts import Alert, Condition, State
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.webhook import payload, post
from tuneloop.pipeline import publish
from tuneloop.registry import Entry, Registry
from tuneloop.serving.versions.channel import read_channel

DRIVER = Path(__file__).with_name("driver.py")
DEADLINE = 60.0


def make_artifact(folder: Path, content: bytes) -> Artifact:
    folder.mkdir(parents=True)
    write_atomic(folder / "model.onnx", content)
    return seal(
        folder,
        Manifest(
            model="desk",
            task=Part(name="tabular-classification"),
            preprocessor="tabular",
            base_model="tabular-mlp",
            strategy="full",
            signature=Signature(columns=(), inputs=(), outputs=(), output_names=("a", "b")),
            metrics={"accuracy": 0.9},
            variants={},
            parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
            data=DataUse(fingerprint="0", rows={}),
            lineage=Lineage(parent=None, pipeline="0"),
            plugins=(),
            libraries={},
        ),
    )


@dataclass
class FakeServer:
    """Says at `/metrics` which version two workers answer with: that of the channel, or the first one for ever."""

    channel: Path
    mode: str = "follow"
    url: str = ""

    def page(self) -> str:
        entry = read_channel(str(self.channel)).champion
        live, refused = (entry.version, entry.sha256), 0
        if self.mode != "follow" and entry.version != "1":
            live, refused = ("1", "a" * 64), int(self.mode == "refuse")
        return (
            f'tuneloop_live_version{{model="desk",version="{live[0]}",sha256="{live[1]}"}} 2\n'
            f'tuneloop_channel_refusals_total{{model="desk",reason="golden"}} {refused}\n'
        )


@pytest.fixture
def world(tmp_path: Path, make_world_project: Callable[[Path], Any]) -> Iterator[World]:
    project = make_world_project(tmp_path)
    registry = Registry(project)
    registry.register(Entry(run="first", artifact=make_artifact(tmp_path / "champion", b"1"), passed=True))
    registry.promote("1", "me", "first")
    publish(project, registry)
    make_artifact(tmp_path / "challenger", b"2")
    store = PredictionStore(f"sqlite:///{project.state / 'predictions.db'}")
    now = time.time()
    ids = [f"p{number}" for number in range(20)]
    store.add_predictions([Prediction(id_, "desk", "1", now, {"x": n}, {}) for n, id_ in enumerate(ids)])
    store.add_labels([(id_, "ab"[n % 2]) for n, id_ in enumerate(ids)])
    store.close()
    fake = FakeServer(project.state / "channel.json")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = fake.page().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        world = World(tmp_path, project, registry, fake)
        yield world
        world.close()
        server.shutdown()
        thread.join()


@dataclass
class World:
    root: Path
    project: Any
    registry: Registry
    server: FakeServer
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    address: str = ""

    def start(self, kill: str = "-", training: str = "passed") -> subprocess.Popen[str]:
        with (self.root / "loop.err").open("a") as errors:
            process = subprocess.Popen(
                [sys.executable, str(DRIVER), str(self.root), self.server.url, kill, training],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.processes.append(process)
        assert process.stdout is not None
        self.address = process.stdout.readline().strip()
        return process

    def alert(self) -> None:
        labels = (("alertname", "TuneloopSignalDrift"), ("model", "desk"), ("signal", "x"), ("version", "1"))
        body = payload(
            [Alert(Condition(labels, {"summary": "x has drifted"}), State.FIRING, 900.0, 1000.0)],
            receiver="tuneloop",
            external_url="http://127.0.0.1",
        )
        # A loop that is killed at once may not answer; what it has begun is on record all the same.
        with contextlib.suppress(ServingError):
            post(f"{self.address}/alerts", body, token=(self.project.state / "loop.token").read_text().strip())

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/status", timeout=10) as answer:
            content: dict[str, Any] = json.load(answer)
        return content

    def ended(self) -> dict[str, Any]:
        """The only run, when it has ended."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            (run,) = self.status()["runs"]
            if run["ended"] is not None:
                assert isinstance(run, dict)
                return run
            threading.Event().wait(0.05)
        raise AssertionError(f"the run did not end; {(self.root / 'loop.err').read_text()}")

    def stop(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, (self.root / "loop.err").read_text()
        assert "Traceback" not in (self.root / "loop.err").read_text()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def moves(self) -> list[tuple[str, str, str]]:
        return [(move.kind, move.version, move.who) for move in Registry(self.project).history()]

    def serves(self) -> str:
        return read_channel(str(self.project.state / "channel.json")).champion.version


STEPS = ["freeze", "train", "look", "promote", "prove", "finish"]
QUICK = "promote:after"
PHASES = [f"{step}:{moment}" for step in STEPS for moment in ("before", "after")]


@pytest.mark.parametrize(
    "kill", [QUICK, *(pytest.param(phase, marks=pytest.mark.slow) for phase in PHASES if phase != QUICK)]
)
def test_killed_in_a_phase_it_promotes_once(world: World, kill: str) -> None:
    process = world.start(kill)
    world.alert()
    assert process.wait(DEADLINE) == -9
    process = world.start()
    world.alert()
    run = world.ended()
    assert (run["outcome"], run["version"]) == ("promoted", "2")
    assert "20 labelled rows" in run["reason"]
    assert world.moves() == [("promote", "1", "me"), ("promote", "2", "loop")]
    assert world.registry.history()[1].why == "x has drifted"
    assert len(world.registry.versions()) == 2
    assert world.serves() == "2"
    trainings = (world.root / "trainings").read_text().splitlines()
    assert len(trainings) == (2 if kill == "train:after" else 1)
    assert set(trainings) == {f"{run['run']} 20"}
    world.stop(process)
    alerts, runs = read_history(world.project, 10)
    assert [(one.outcome, one.run) for one in alerts] == [("accepted", run["run"])]
    assert [one.outcome for one in runs] == ["promoted"]


@pytest.mark.parametrize(
    ("mode", "words"),
    [("refuse", "refused it: golden"), pytest.param("stuck", "after 3 s", marks=pytest.mark.slow)],
)
def test_a_version_that_does_not_get_live_is_rolled_back(world: World, mode: str, words: str) -> None:
    world.server.mode = mode
    process = world.start()
    world.alert()
    run = world.ended()
    assert run["outcome"] == "rolled-back"
    assert words in run["reason"]
    assert "version 1 is champion again" in run["reason"]
    assert world.moves() == [("promote", "1", "me"), ("promote", "2", "loop"), ("rollback", "1", "loop")]
    assert world.serves() == "1"
    world.stop(process)


@pytest.mark.slow
@pytest.mark.parametrize("kill", ["undo:before", "undo:after"])
def test_killed_while_it_rolls_back_it_does_so_once(world: World, kill: str) -> None:
    world.server.mode = "refuse"
    process = world.start(kill)
    world.alert()
    assert process.wait(DEADLINE) == -9
    process = world.start()
    assert world.ended()["outcome"] == "rolled-back"
    assert [kind for kind, _, _ in world.moves()] == ["promote", "promote", "rollback"]
    assert world.serves() == "1"
    world.stop(process)


@pytest.mark.parametrize(
    ("training", "outcome", "words"), [("refused", "refused", "golden"), ("broken", "failed", "no memory")]
)
def test_the_champion_stays_where_there_is_no_better_one(world: World, training: str, outcome: str, words: str) -> None:
    process = world.start(training=training)
    world.alert()
    run = world.ended()
    assert run["outcome"] == outcome
    assert words in run["reason"]
    assert world.moves() == [("promote", "1", "me")]
    assert world.serves() == "1"
    with urllib.request.urlopen(f"{world.address}/metrics", timeout=10) as answer:
        assert f'tuneloop_loop_runs_total{{model="desk",outcome="{outcome}"}} 1.0' in answer.read().decode()
    world.stop(process)


@pytest.mark.slow
def test_without_a_server_the_next_one_takes_it(world: World) -> None:
    world.server.url = "http://127.0.0.1:9"
    process = world.start()
    world.alert()
    run = world.ended()
    assert run["outcome"] == "promoted"
    assert "no server answered" in run["reason"]
    world.stop(process)


def test_two_loops_of_one_project_are_one_too_many(world: World) -> None:
    process = world.start()
    other = world.start()
    assert other.wait(DEADLINE) == 1
    assert f"runs already (process {process.pid}" in (world.root / "loop.err").read_text()
    assert process.poll() is None

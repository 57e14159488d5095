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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.unit.loop.conftest import make_artifact

from tuneloop.api import ServingError
from tuneloop.loop.deciding.approvals import approve, decline, waiting
from tuneloop.loop.history import read_history
from tuneloop.loop.records import Database, database_url
from tuneloop.loop.stages import Stages
from tuneloop.monitoring.alerts import Alert, Condition, State
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.webhook import payload, post
from tuneloop.pipeline import publish
from tuneloop.registry import Entry, Registry
from tuneloop.serving.versions.channel import read_channel

DRIVER = Path(__file__).with_name("driver.py")
DEADLINE = 300.0


@dataclass
class FakeServer:
    """Says at `/metrics` which version two workers answer with: that of the channel, or the first one for ever."""

    channel: Path
    mode: str = "follow"
    url: str = ""
    failing: str = ""
    counted: Counter[str] = field(default_factory=Counter)

    def page(self) -> str:
        """Between two looks 40 requests come; who is `failing` fails on half of them, as a canary or as champion."""
        channel = read_channel(str(self.channel))
        entry, tried = channel.champion, channel.challenger
        live, refused = (entry.version, entry.sha256), 0
        if self.mode != "follow" and entry.version != "1":
            live, refused = ("1", "a" * 64), int(self.mode == "refuse")
        self._answer(live[0], 20 if self.failing == "champion" and live[0] != "1" else 0)
        if tried is not None and tried.mode == "shadow":
            self._count("shadow_rows_total", 40, version=tried.version, champion=live[0], outcome="agree")
        elif tried is not None:
            self._answer(tried.version, 0)
            failed = 20 if self.failing == "canary" else 0
            self._count("challenger_failures_total", failed, version=tried.version, reason="error")
        counters = "".join(f"{series} {value}\n" for series, value in sorted(self.counted.items()))
        return (
            f'tuneloop_live_version{{model="desk",version="{live[0]}",sha256="{live[1]}"}} 2\n'
            f'tuneloop_channel_refusals_total{{model="desk",reason="golden"}} {refused}\n'
            f"{counters}"
        )

    def _answer(self, version: str, failed: int) -> None:
        for bound in ("0.01", "+Inf"):
            self._count("prediction_seconds_bucket", 40 - failed, version=version, le=bound)
        self._count("requests_refused_total", failed, reason="internal")

    def _count(self, name: str, increment: int, **labels: str) -> None:
        listed = ",".join(f'{label}="{value}"' for label, value in labels.items())
        self.counted[f'tuneloop_{name}{{model="desk",{listed}}}'] += increment


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
        with urllib.request.urlopen(f"{self.address}/status", timeout=120) as answer:
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
        assert process.wait(DEADLINE) == 0, (self.root / "loop.err").read_text()
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

    def killed_again_and_again(self, phases: list[str]) -> None:
        """An alert comes; the loop is killed in each of these phases, and started again."""
        for number, phase in enumerate(phases):
            process = self.start(phase)
            if not number:
                self.alert()
            assert process.wait(DEADLINE) == -9, phase
            assert self.serves() in ("1", "2")


ROLLOUT = {
    "approval": True,
    "shadow": {"seconds": 0.4, "rows": 100},
    "canary": {"steps": [0.1, 0.5], "seconds": 0.4, "rows": 100},
    "watch": 0.6,
}
STEPS = ["freeze", "train", "plan", "approval", "shadow", "canary", "look", "promote", "prove", "watch", "finish"]


def test_killed_after_the_promotion_it_promotes_once(world: World) -> None:
    world.killed_again_and_again(["promote:after"])
    assert_promoted_once(world, [("promote", "2", "loop")])


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after", "during"])
def test_killed_in_each_phase_it_does_nothing_twice(world: World, moment: str) -> None:
    (world.root / "loop.json").write_text(json.dumps({"rollout": ROLLOUT}))
    steps = ["shadow", "canary", "watch"] if moment == "during" else STEPS
    database = Database(database_url(world.project.state), "desk")
    threading.Thread(target=approve_when_asked, args=(world,), daemon=True).start()
    world.killed_again_and_again([f"{step}:{moment}" for step in steps])
    moves = [("shadow", "2", "loop"), ("canary", "2", "loop"), ("canary", "2", "loop"), ("promote", "2", "loop")]
    run = assert_promoted_once(world, moves)
    stages = Stages(database, time.time).of(run["run"])
    database.close()
    wanted = ["freeze", "train", "approval", "shadow", "canary 10%", "canary 50%", "promote", "prove", "watch"]
    assert [stage.stage for stage in stages] == wanted
    assert all(stage.ended is not None for stage in stages)
    assert "approved by ada: fine" in run["reason"]


def approve_when_asked(world: World) -> None:
    database = Database(database_url(world.project.state), "desk")
    # The loop is killed several times before it gets to ask.
    deadline = time.monotonic() + 10 * DEADLINE
    while not (asked := waiting(database)) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    approve(database, asked[0].run, "ada", "fine")
    database.close()


def assert_promoted_once(world: World, moves: list[tuple[str, str, str]]) -> dict[str, Any]:
    process = world.start()
    world.alert()
    run = world.ended()
    assert (run["outcome"], run["version"]) == ("promoted", "2"), run["reason"]
    assert "20 labelled rows" in run["reason"]
    assert world.moves() == [("promote", "1", "me"), *moves]
    assert world.registry.history()[-1].why == "x has drifted"
    assert len(world.registry.versions()) == 2
    assert world.serves() == "2"
    # Also where it was killed before it had noted that the training was over: the registry knows its version.
    assert (world.root / "trainings").read_text().splitlines() == [f"{run['run']} 20"]
    world.stop(process)
    alerts, runs = read_history(world.project, 10)
    assert [(one.outcome, one.run) for one in alerts] == [("accepted", run["run"])]
    assert [one.outcome for one in runs] == ["promoted"]
    return run


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
@pytest.mark.parametrize(
    ("failing", "phases", "moves"),
    [
        ("champion", ["watch:after", "undo:before", "undo:after"], ["promote", "promote", "rollback"]),
        ("canary", ["canary:after", "stop:before", "stop:after"], ["promote", "canary", "stop"]),
    ],
)
def test_killed_while_it_rolls_back_it_does_so_once(
    world: World, failing: str, phases: list[str], moves: list[str]
) -> None:
    canary = {"canary": {"steps": [0.1], "seconds": 0.4, "rows": 100}} if failing == "canary" else {}
    (world.root / "loop.json").write_text(json.dumps({"rollout": {"watch": 30.0, **canary}}))
    world.server.failing = failing
    world.killed_again_and_again(phases)
    process = world.start()
    run = world.ended()
    assert run["outcome"] == "rolled-back"
    assert "it failed on" in run["reason"]
    assert [kind for kind, _, _ in world.moves()] == moves
    assert world.serves() == "1"
    world.stop(process)


def test_a_run_that_is_declined_ends_and_nothing_is_served(world: World) -> None:
    (world.root / "loop.json").write_text(json.dumps({"rollout": {"approval": True}}))
    process = world.start()
    world.alert()
    deadline = time.monotonic() + DEADLINE
    while not (asked := world.status()["waiting"]) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert world.status()["running"]["stages"][-1]["stage"] == "approval"
    database = Database(database_url(world.project.state), "desk")
    decline(database, asked[0]["run"], "ada", "not on a Friday")
    database.close()
    run = world.ended()
    assert (run["outcome"], run["reason"]) == ("declined", "declined by ada: not on a Friday")
    assert world.moves() == [("promote", "1", "me")]
    assert world.serves() == "1"
    world.stop(process)


@pytest.mark.slow
@pytest.mark.parametrize(("on_timeout", "outcome"), [("stop", "rolled-back"), ("promote", "promoted")])
def test_too_few_rows_mean_what_the_project_says(world: World, on_timeout: str, outcome: str) -> None:
    canary = {"steps": [0.1], "seconds": 0.2, "rows": 1_000_000}
    rollout = {"canary": canary, "timeout": 0.5, "on_timeout": on_timeout}
    (world.root / "loop.json").write_text(json.dumps({"rollout": rollout}))
    process = world.start()
    world.alert()
    run = world.ended()
    assert run["outcome"] == outcome
    assert (
        f"of the 1000000 rows that were to be seen came in time, and rollout.on_timeout is {on_timeout}"
        in run["reason"]
    )
    world.stop(process)


@pytest.mark.slow
def test_what_a_person_does_meanwhile_is_left_alone(world: World) -> None:
    """Somebody rolls back by hand while the loop still watches its new champion."""
    (world.root / "loop.json").write_text(json.dumps({"rollout": {"watch": 60.0}}))
    process = world.start()
    world.alert()
    deadline = time.monotonic() + DEADLINE
    while "watch" not in [stage["stage"] for stage in world.status()["running"]["stages"]]:
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
    registry = Registry(world.project)
    registry.rollback("ada", "I do not trust it")
    publish(world.project, registry)
    run = world.ended()
    assert run["outcome"] == "rolled-back"
    assert "version 1 is champion by now (rollback 1 by ada: I do not trust it)" in run["reason"]
    assert [who for _, _, who in world.moves()] == ["me", "loop", "ada"]
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
    with urllib.request.urlopen(f"{world.address}/metrics", timeout=120) as answer:
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

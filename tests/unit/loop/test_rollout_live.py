"""Rollouts by a real loop on a real server under load: good versions get through, each kind of bad one is stopped.

The trainings register artifacts that lie ready: one that answers like the champion, and ones that answer otherwise,
take long, or fail on rows of old people. One server serves all tests; each starts a loop of its own.
"""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.unit.loop.conftest import make_project
from tests.unit.serving.conftest import MODEL, make_artifact, make_graph, make_rows

from tuneloop.artifact import Artifact
from tuneloop.loop.history import read_history
from tuneloop.monitoring.stack import free_port
from tuneloop.pipeline import publish
from tuneloop.registry import Entry, Registry
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import default_store_url, start_server
from tuneloop.serving.versions.channel import read_channel

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).with_name("driver.py")
DEADLINE = 300.0
PAUSE = 0.01
"""Seconds between two requests of a client: enough rows for a canary in seconds, and a processor for the loop."""
ROLLOUT = {
    "shadow": {"seconds": 1.0, "rows": 100},
    "canary": {"steps": [0.3], "seconds": 2.0, "rows": 250},
    "watch": 4.0,
    # A machine that runs tests is busy with more than one server; what is slow here is so by far.
    "limits": {"latency_ratio": 4.0},
}


def rename(graph: Any, output: str, inner: str) -> None:
    """Give a graph's output another name, for nodes that go on from it."""
    for node in graph.graph.node:
        for place, name in enumerate(node.output):
            if name == output:
                node.output[place] = inner


def constant(graph: Any, name: str, value: Any) -> None:
    graph.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))


def wrong() -> Any:
    """Answers the opposite."""
    graph = make_graph(1)
    rename(graph, "logits", "inner")
    graph.graph.node.append(helper.make_node("Neg", ["inner"], ["logits"]))
    return graph


def slow() -> Any:
    """Answers the same, and takes some 10 ms for it."""
    graph, size = make_graph(1), 1024
    rename(graph, "logits", "inner")
    constant(graph, "wide", np.zeros((3, size), np.float32))
    constant(graph, "square", np.zeros((size, size), np.float32))
    constant(graph, "narrow", np.zeros((size, 2), np.float32))
    nodes = [helper.make_node("MatMul", ["numeric", "wide"], ["h0"])]
    nodes += [helper.make_node("MatMul", [f"h{n}", "square"], [f"h{n + 1}"]) for n in range(40)]
    nodes += [helper.make_node("MatMul", ["h40", "narrow"], ["nothing"])]
    graph.graph.node.extend([*nodes, helper.make_node("Add", ["inner", "nothing"], ["logits"])])
    return graph


def failing(mark: float = 0.0) -> Any:
    """Answers the same, but no number for people over 80; the rows that it is tried with at its start are younger."""
    graph = make_graph(1)
    constant(graph, "mark", np.float32(mark))
    rename(graph, "logits", "inner")
    constant(graph, "column", np.array([0], np.int64))
    constant(graph, "old", np.array([[35 / 15]], np.float32))
    constant(graph, "nan", np.array([[np.nan]], np.float32))
    nodes = [
        helper.make_node("Gather", ["numeric", "column"], ["age"], axis=1),
        helper.make_node("Greater", ["age", "old"], ["is_old"]),
        helper.make_node("Where", ["is_old", "nan", "inner"], ["logits"]),
    ]
    graph.graph.node.extend(nodes)
    assert graph.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    return graph


def good() -> Any:
    """Answers the same from other bytes."""
    graph = make_graph(1)
    constant(graph, "mark", np.float32(2.0))
    return graph


KINDS: dict[str, Callable[[], Any]] = {
    "good": good,
    "wrong": wrong,
    "slow": slow,
    "failing": failing,
    "late": lambda: failing(1.0),
}


@dataclass
class Traffic:
    """People who ask, and tell the truth a moment later: what the first champion would answer."""

    url: str
    truth: list[tuple[dict[str, Any], str]]
    old_people: bool = False
    answers: Counter[str] = field(default_factory=Counter)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def ask(self, first: int) -> None:
        with httpx.Client(timeout=120) as client:
            items: list[dict[str, str]] = []
            for number in itertools.count(first):
                if self._stopping.wait(PAUSE):
                    return
                row, label = self.truth[number % len(self.truth)]
                # One of ten, whatever the number of clients.
                sent = {**row, "age": 95.0} if self.old_people and number % 10 == 0 else row
                answer = client.post(f"{self.url}/predict", json={"rows": [sent]})
                if answer.status_code != 200:
                    self.answers[str(answer.status_code)] += 1
                    continue
                body = answer.json()
                self.answers[body["version"]] += 1
                if sent is row:
                    items.append({"id": body["predictions"][0]["id"], "label": label})
                if len(items) >= 20:
                    client.post(f"{self.url}/feedback", json={"items": items})
                    items = []

    def stop(self) -> None:
        self._stopping.set()


@dataclass
class World:
    root: Path
    project: Any
    url: str
    traffic: Traffic
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    address: str = ""

    def start(self, rollout: dict[str, Any]) -> subprocess.Popen[str]:
        retrain = {"min_labels": 0, "cooldown": 0.1, "daily_budget": 50, "max_label_noise": 1.0}
        said = {"name": MODEL, "rollout": rollout, "retrain": retrain}
        (self.root / "loop.json").write_text(json.dumps(said))
        with (self.root / "loop.err").open("a") as errors:
            process = subprocess.Popen(
                [sys.executable, str(DRIVER), str(self.root), self.url, "-", "passed"],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.processes.append(process)
        assert process.stdout is not None
        self.address = process.stdout.readline().strip()
        assert self.address, (self.root / "loop.err").read_text()
        return process

    def stop(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, (self.root / "loop.err").read_text()

    def roll_out(self, kind: str) -> dict[str, Any]:
        """Retrain to a version of this kind, and wait for the run's end."""
        (self.root / "challenger.txt").write_text(kind)
        token = (self.project.state / "loop.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        asked = httpx.post(f"{self.address}/retrain", json={"who": "ada"}, headers=headers, timeout=120)
        assert asked.status_code == 202, asked.text
        run = asked.json()["run"]
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            status = httpx.get(f"{self.address}/status", timeout=120).json()
            found = next(one for one in status["runs"] if one["run"] == run)
            if found["ended"] is not None:
                assert isinstance(found, dict)
                return found
            threading.Event().wait(0.1)
        raise AssertionError(f"{status['running']} {(self.root / 'loop.err').read_text()}")

    def moves(self, last: int) -> list[tuple[str, str]]:
        return [(move.kind, move.version) for move in Registry(self.project).history()[-last:]]

    def champion(self) -> str:
        """The champion's version; none is tried beside it."""
        channel = read_channel(str(self.project.state / "channel.json"))
        assert channel.challenger is None
        return channel.champion.version

    def metrics(self) -> str:
        return httpx.get(f"{self.address}/metrics", timeout=120).text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("rollout")
    project = replace(make_project(root), name=MODEL)
    champion = make_artifact(root / "champion", graph=make_graph(1))
    for kind, graph in KINDS.items():
        make_artifact(root / kind, graph=graph())
    registry = Registry(project)
    registry.register(Entry(run="first", artifact=champion, passed=True))
    registry.promote("1", "ada", "first")
    publish(project, registry)
    home = root / "bentoml"
    bento = bento_folder(home, build_bento(champion, "1", home=home))
    server = start_server(
        str(bento),
        home=root / "server",
        log=root / "server.txt",
        port=free_port(),
        channel=str(project.state / "channel.json"),
        store_url=default_store_url(project.state),
    )
    traffic = Traffic(server.url, truth(champion))
    clients = [threading.Thread(target=traffic.ask, args=(first,)) for first in (0, 1)]
    world = World(root, project, server.url, traffic)
    try:
        server.wait_ready(300)
        for client in clients:
            client.start()
        yield world
    finally:
        traffic.stop()
        for client in clients:
            if client.ident is not None:
                client.join(60)
        for process in world.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        server.stop()


@pytest.fixture(autouse=True)
def _as_usual(world: World) -> None:
    world.traffic.old_people = False
    world.traffic.answers.clear()


def truth(artifact: Artifact) -> list[tuple[dict[str, Any], str]]:
    """Rows with what the artifact answers."""
    from tuneloop.serving.loader import load_version

    rows = make_rows(300, seed=3)
    loaded = load_version(artifact.folder, "1", model=MODEL, sha256=artifact.sha256)
    return [
        (row, str(answer["label"])) for row, answer in zip(rows, loaded.predictor.predict(rows).answers, strict=True)
    ]


def test_bad_versions_are_stopped_in_the_canary_each_for_its_reason(world: World) -> None:
    process = world.start({**ROLLOUT, "shadow": None})
    world.traffic.old_people = True
    champion = world.champion()
    for kind, reason, words in (
        ("wrong", "accuracy", "is allowed"),
        ("slow", "latency", "times as long"),
        ("failing", "errors", "it failed on"),
    ):
        run = world.roll_out(kind)
        assert run["outcome"] == "rolled-back", run["reason"]
        assert words in run["reason"]
        assert f'tuneloop_rollbacks_total{{model="{MODEL}",reason="{reason}"}} 1.0' in world.metrics()
        assert world.champion() == champion
        assert world.moves(2) == [("canary", run["version"]), ("stop", run["version"])]
    # Nobody noticed: where a canary fails, the champion answers.
    assert all(said.isdigit() and int(said) < 200 for said in world.traffic.answers)
    world.stop(process)


def test_a_shadow_that_answers_worse_is_never_seen(world: World) -> None:
    process = world.start(ROLLOUT)
    champion = world.champion()
    run = world.roll_out("wrong")
    assert run["outcome"] == "rolled-back", run["reason"]
    assert "wrong that the champion had right" in run["reason"]
    assert world.moves(2) == [("shadow", run["version"]), ("stop", run["version"])]
    assert set(world.traffic.answers) == {champion}
    world.stop(process)


def test_a_version_that_only_turns_out_bad_when_it_serves_is_rolled_back(world: World) -> None:
    process = world.start({"watch": 20.0, "limits": ROLLOUT["limits"]})
    champion = world.champion()
    turned = threading.Thread(target=_turn, args=(world, champion))
    turned.start()
    run = world.roll_out("late")
    turned.join()
    assert run["outcome"] == "rolled-back", run["reason"]
    assert "it failed on" in run["reason"]
    assert f"version {champion} is champion again" in run["reason"]
    assert world.moves(2) == [("promote", run["version"]), ("rollback", champion)]
    assert world.champion() == champion
    assert f'tuneloop_rollbacks_total{{model="{MODEL}",reason="errors"}} 1.0' in world.metrics()
    world.stop(process)


def _turn(world: World, champion: str) -> None:
    """Old people come once there is a new champion."""
    deadline = time.monotonic() + DEADLINE
    while world.champion() == champion and time.monotonic() < deadline:
        time.sleep(0.01)
    world.traffic.old_people = True


def test_a_good_version_gets_through_all_stages_and_no_request_fails(world: World) -> None:
    process = world.start(ROLLOUT)
    champion = world.champion()
    run = world.roll_out("good")
    new = run["version"]
    assert run["outcome"] == "promoted", run["reason"]
    for words in ("shadow, ", "canary 30%, ", "every worker at", "watch, ", "% as the champion", "accuracy 1.000"):
        assert words in run["reason"]
    assert world.moves(3) == [("shadow", new), ("canary", new), ("promote", new)]
    assert world.champion() == new
    assert set(world.traffic.answers) == {champion, new}
    for stage in ("freeze", "train", "shadow", "canary", "promote", "prove", "watch"):
        assert f'tuneloop_loop_stage_seconds_count{{model="{MODEL}",stage="{stage}"}} 1.0' in world.metrics()
    world.stop(process)
    assert read_history(world.project, 5)[1][0].outcome == "promoted"

"""Two loops and four servers on hosts of their own share one database, one MLflow, one object store, and one training.

One server starts while it cannot reach the database, another one is cut off from it in the middle, and the loop that
leads is killed while it trains.
"""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest
from tests.e2e.hosts import DEADLINE, Host, answers, call, shared_services, wait
from tests.e2e.network import Wire, network
from tests.postgres import Postgres

from tuneloop.monitoring.store import PredictionStore
from tuneloop.monitoring.store_policy import StorePolicy
from tuneloop.pipeline.runs.records import read_status
from tuneloop.registry import Registry

pytest.importorskip("dbos")
pytest.importorskip("torch")
pytest.importorskip("s3fs", reason="the S3 client is not installed: pip install 's3fs'")
pytest.importorskip("moto", reason="the S3 server is not installed: pip install 'moto[server]'")
pytestmark = pytest.mark.cluster

PROJECT = """\
name: income
task: tabular-classification
data: {source: csv, path: people.csv, columns: {label: income},
  split: {validation: 0.2, test: 0.2, golden: 0.2, key: id}}
model: {base: tabular-mlp, hidden: [16]}
tune: {strategy: full, epochs: 8, learning_rate: 1.0e-2}
evaluate: {metrics: [macro_f1, accuracy]}
gate: {require: {macro_f1: 0.6}, champion: {metric: macro_f1, margin: 0.5, slice_margin: 0.5}}
retrain: {on: [accuracy], min_labels: 100, min_coverage: 0.001, cooldown: 1h}
rollout: {watch: {for: 1s}}
store: {sample: 0.75}
"""
POLICY = StorePolicy(sample=0.75)
"""As the project says; servers know it from their Bento alone."""
CHANNEL = "s3://desk/income/channel.json"
BEFORE = ("", "load", "check", "split", "baseline")
"""Steps before the training."""
LEARNED = 300
"""Labelled rows, from a world in which pilots earn less."""


def person(generator: random.Random, pilots: int) -> tuple[dict[str, Any], str]:
    row = {
        "age": generator.randint(18, 80),
        "hours": generator.randint(1, 60),
        "job": generator.choice(["clerk", "cook", "pilot"]),
    }
    score = row["age"] + 2 * row["hours"] + {"clerk": 0, "cook": -10, "pilot": pilots}[row["job"]]
    return row, "high" if score > 110 else "low"


@dataclass
class Traffic:
    """Asks a server again and again; every answer counts, and what came instead of one."""

    server: Host
    seed: int
    ids: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self, over: threading.Event) -> None:
        generator = random.Random(self.seed)
        while not over.wait(0.02):
            row, _ = person(generator, -60)
            try:
                (answer,) = call(f"{self.server.url}/predict", {"rows": [row]})["predictions"]
                assert answer["label"] in ("low", "high")
                self.ids.append(answer["id"])
            except (OSError, ValueError, KeyError, AssertionError) as error:
                self.failures.append(repr(error))


@dataclass
class Alertmanager:
    """Posts one firing alert to both loops, again and again: one that waits or is gone is asked again."""

    loops: tuple[Host, ...]
    token: str
    decisions: list[tuple[str, str]] = field(default_factory=list)

    def run(self, over: threading.Event) -> None:
        labels = {"alertname": "TuneloopAccuracyLow", "model": "income", "version": "1"}
        one = {"status": "firing", "labels": labels, "startsAt": "2026-11-21T10:00:00Z", "fingerprint": "a1"}
        while not over.wait(0.3):
            for loop in self.loops:
                try:
                    (found,) = call(f"{loop.url}/alerts", {"version": "4", "alerts": [one]}, self.token)["decisions"]
                except (OSError, ValueError):
                    continue
                self.decisions.append((found["outcome"], str(found["run"])))


@contextmanager
def at_work(*workers: Traffic | Alertmanager) -> Iterator[None]:
    over = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(over,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(DEADLINE)


@dataclass(frozen=True)
class Deployment:
    loops: tuple[Host, ...]
    servers: tuple[Host, ...]
    shared: dict[str, str]
    database: str
    token: str


@pytest.fixture
def deployment(tmp_path: Path, postgres_server: Postgres, postgres: str) -> Iterator[Deployment]:
    """A project that two hosts have, with a champion; nothing runs yet."""
    token, name = secrets.token_hex(16), postgres.rpartition("/")[2]
    with ExitStack() as stack:
        net = stack.enter_context(network(6))
        services = tmp_path / "services"
        services.mkdir()
        shared = {**stack.enter_context(shared_services(services, net.address)), "TUNELOOP_CHANNEL": CHANNEL}
        hosts = []
        for number, place in enumerate(net.places):
            wire = Wire(net.address, ("127.0.0.1", postgres_server.port))
            stack.callback(wire.close)
            url = f"postgresql+psycopg://tuneloop@{net.address}:{wire.port}/{name}"
            host = Host(tmp_path / f"host{number}", place, wire, url, shared)
            host.folder.mkdir()
            stack.callback(host.end)
            hosts.append(host)
        loops, servers = tuple(hosts[:2]), tuple(hosts[2:])
        generator = random.Random(1)
        people = [(number, *person(generator, 20)) for number in range(600)]
        lines = [f"{number},{row['age']},{row['hours']},{row['job']},{label}" for number, row, label in people]
        for loop in loops:
            (loop.folder / "tuneloop.yaml").write_text(PROJECT)
            (loop.folder / "people.csv").write_text("\n".join(["id,age,hours,job,income", *lines]) + "\n")
            loop.state.mkdir()
            (loop.state / "loop.token").write_text(token)
            (loop.state / "loop.token").chmod(0o600)
        assert loops[0].tuneloop("run").wait(DEADLINE) == 0, loops[0].log
        yield Deployment(loops, servers, shared, postgres, token)


def learn(servers: tuple[Host, ...]) -> int:
    """Ask rows of the changed world, and give their labels; gives how many are stored."""
    generator, joined = random.Random(7), 0
    for start in range(0, LEARNED, 100):
        people = [person(generator, -60) for _ in range(100)]
        url = servers[start // 100 % len(servers)].url
        found = call(f"{url}/predict", {"rows": [row for row, _ in people]})["predictions"]
        items = [{"id": one["id"], "label": label} for one, (_, label) in zip(found, people, strict=True)]
        said = call(f"{url}/feedback", {"items": items})
        assert said["joined"] + said["orphaned"] + said["unsampled"] == 100
        joined += sum(POLICY.takes(item["id"]) for item in items)
    return joined


def test_one_training_and_one_promotion_whoever_is_lost(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, second), servers = deployment.loops, deployment.servers
    cut, late = servers[2:]
    late.wire.cut()
    for server in servers:
        server.serve(first.state / "bentoml" / "bentos" / "income" / "1")
    for server in servers:
        wait(lambda server=server: answers(f"{server.url}/readyz"), lambda server=server: server.log)
    assert "is waited for" in late.log
    leading = first.lead([server.url for server in servers])
    wait(lambda: first.status().get("champion") == "1", lambda: first.log)
    second.lead([server.url for server in servers])
    assert not second.status()
    traffic = [Traffic(server, number) for number, server in enumerate(servers)]
    alerts = Alertmanager(deployment.loops, deployment.token)
    with at_work(*traffic):
        labelled = learn(servers[:2])
        wait(lambda: all(one.ids for one in traffic))
        cut.wire.cut()
        lost = len(traffic[2].ids)
        with at_work(alerts):
            (record,) = wait(lambda: list(first.state.glob("runs/loop-*/status.json")), lambda: first.log)
            wait(lambda: read_status(record.parent).step not in BEFORE, lambda: first.log)
            leading.kill()
            leading.wait()
            ended = wait(lambda: [one for one in second.status().get("runs", []) if one["ended"]], lambda: second.log)
            first.lead([server.url for server in servers])
            wait(lambda: not first.status() and answers(f"{first.url}/readyz"))
            known = len(alerts.decisions)
            wait(lambda: len(alerts.decisions) > known)
        assert second.status()["runs"] == ended, "a second run began"
        (run,) = ended
        assert (run["outcome"], run["version"]) == ("promoted", "2"), run
        assert set(alerts.decisions) == {("accepted", run["run"])}
        for server in servers:
            assert server.sample("tuneloop_live_version", version="2") == 1
            assert server.sample("tuneloop_live_version", version="1") == 0
        store = PredictionStore(deployment.database)
        waiting = [*traffic[3].ids, *traffic[2].ids[-20:]]
        assert len(traffic[2].ids) > lost + 100
        assert store.predictions(waiting) == {}
        late.wire.mend()
        cut.wire.mend()
    assert [one.failures for one in traffic] == [[], [], [], []]

    for name, value in deployment.shared.items():
        monkeypatch.setenv(name, value)
    registry = Registry(SimpleNamespace(name="income", state=second.state))
    assert [(version.number, version.run) for version in registry.versions()] == [("2", run["run"]), ("1", ANY)]
    assert [(move.kind, move.version) for move in registry.history()] == [("promote", "1"), ("promote", "2")]
    for one in traffic:
        expected = {id_ for id_ in one.ids if POLICY.takes(id_)}
        wait(lambda ids=expected: len(store.predictions(ids)) == len(ids), lambda one=one: one.server.log)
        assert len(store.predictions(one.ids)) == len(expected) < len(one.ids)
        assert one.server.sample("tuneloop_store_dropped_rows_total") == 0
    assert late.sample("tuneloop_store_errors_total") > 0
    assert store.counts("income").labelled == labelled
    store.close()

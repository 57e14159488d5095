"""100,000 predictions and 60,000 labels, while workers, server and loop are killed at random moments.

The client keeps a log of its own: what was acknowledged as stored (`stored: true` to the header `x-tuneloop-durable`,
and an answer to `POST /feedback`). At the end the store holds all of it, the accuracy that `tuneloop accuracy` reports
is that of the log, and the loop, alerted all the while, has begun one run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
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

import httpx
import pytest
from tests.unit.serving.conftest import make_artifact, make_rows

from tuneloop.api import ServingError
from tuneloop.monitoring.alerts import Alert, Condition, State
from tuneloop.monitoring.stack import free_port
from tuneloop.monitoring.store import PredictionStore
from tuneloop.monitoring.webhook import payload, post
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import ServerProcess, start_server

MODEL = "desk"
DRIVER = Path(__file__).parents[1] / "unit" / "loop" / "driver.py"
PREDICTIONS, LABELS, ROWS, CLIENTS = 100_000, 60_000, 100, 6
CORRECTED = 0.1
"""Share of the requests with labels that are sent again with others."""
PATIENCE = 300.0
SEED = int(os.environ.get("TUNELOOP_TEST_SEED") or random.SystemRandom().randrange(2**32))


@dataclass
class Log:
    """What the clients were told. Guarded by `lock`."""

    answers: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def fail(self) -> None:
        """A request was not acknowledged; whoever sent it waits a moment."""
        with self.lock:
            self.failed += 1
        self.over.wait(0.05)

    @property
    def accuracy(self) -> float:
        return sum(self.answers[id_] == label for id_, label in self.labels.items()) / len(self.labels)


class Client:
    """Asks, and sends labels back later, now and then other ones; what fails on the way is sent again."""

    def __init__(self, url: str, log: Log, seed: int, predictions: int, labels: int) -> None:
        self._url, self._log, self._random = url, log, random.Random(seed)
        self._rows = make_rows(ROWS, seed % 1000)
        self._to_ask, self._to_label = predictions, labels
        self._waiting: list[list[str]] = []

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=120) as http:
            while (self._to_ask > 0 or self._waiting) and not self._log.over.is_set():
                if self._to_ask > 0 and self._random.random() < 0.6:
                    self._ask(http)
                elif self._waiting:
                    self._label(http, self._waiting.pop(self._random.randrange(len(self._waiting))))

    def _ask(self, http: httpx.Client) -> None:
        try:
            answer = http.post("/predict", json={"rows": self._rows}, headers={"x-tuneloop-durable": "true"})
        except httpx.TransportError:
            answer = None
        if answer is None or answer.status_code != 200 or not answer.json()["stored"]:
            self._log.fail()
            return
        found = {one["id"]: one["label"] for one in answer.json()["predictions"]}
        with self._log.lock:
            self._log.answers.update(found)
        self._to_ask -= len(found)
        if self._to_label > 0:
            self._to_label -= len(found)
            self._waiting.append(list(found))

    def _label(self, http: httpx.Client, ids: list[str]) -> None:
        for _ in range(2 if self._random.random() < CORRECTED else 1):
            labels = {id_: self._random.choice(("low", "high")) for id_ in ids}
            body = {"items": [{"id": id_, "label": label} for id_, label in labels.items()]}
            while not self._log.over.is_set():
                with contextlib.suppress(httpx.TransportError):
                    answer = http.post("/feedback", json=body)
                    if answer.status_code == 200:
                        said = answer.json()
                        # Their predictions are acknowledged, so none is an orphan; sent again they are unchanged.
                        assert said["joined"] + said["unchanged"] == len(ids), said
                        with self._log.lock:
                            self._log.labels.update(labels)
                        break
                self._log.fail()


class Killer(threading.Thread):
    """Kills one thing after the other at random moments, and starts it again."""

    def __init__(
        self, world: World, log: Log, dice: random.Random, victims: list[str], pause: tuple[float, float]
    ) -> None:
        super().__init__()
        self._world, self._log, self._dice, self._victims, self._pause = world, log, dice, victims, pause
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Until it is over."""
        victim = self._victims[0]
        try:
            while not self._log.over.wait(self._dice.uniform(*self._pause)):
                self._world.kill(victim)
                victim = self._dice.choice(self._victims)
        except BaseException as error:
            self.failure = error


class World:
    """A server and a loop that are started again whenever they were killed."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.store_url, self.port = folder, url, free_port()
        artifact = make_artifact(folder / "artifact", 1, model=MODEL)
        home = folder / "bentos"
        self._bento = bento_folder(home, build_bento(artifact, "1", home=home))
        self.kills: dict[str, int] = {"worker": 0, "server": 0, "loop": 0}
        self.server = self._serve()
        self._errors = (folder / "loop.err").open("a")
        self.loop = self._listen()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self, what: str) -> None:
        self.kills[what] += 1
        if what == "worker":
            workers = _descendants(self.server.pid)
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(workers[-1], signal.SIGKILL)
        elif what == "server":
            # All of it, as when its machine or its container ends.
            for pid in (self.server.pid, *_descendants(self.server.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.server.stop()
            self.server = self._serve()
        else:
            self.loop.kill()
            self.loop.communicate()
            self.loop = self._listen()
            self._alert()

    def loop_status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self._loop_address}/status", timeout=120) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def close(self) -> None:
        self.server.stop()
        self.loop.kill()
        self.loop.communicate()
        self._errors.close()

    def _serve(self) -> ServerProcess:
        server = start_server(
            str(self._bento),
            home=self.folder / "home",
            log=self.folder / "server.log",
            port=self.port,
            workers=2,
            store_url=self.store_url,
        )
        server.wait_ready(300)
        return server

    def _listen(self) -> subprocess.Popen[str]:
        loop = subprocess.Popen(
            [sys.executable, str(DRIVER), str(self.folder), self.address, "-", "broken"],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "TUNELOOP_STORE_URL": self.store_url},
        )
        assert loop.stdout is not None
        self._loop_address = loop.stdout.readline().strip()
        assert self._loop_address, (self.folder / "loop.err").read_text()[-2000:]
        return loop

    def _alert(self) -> None:
        labels = (("alertname", "TuneloopSignalDrift"), ("model", MODEL), ("signal", "age"), ("version", "1"))
        alert = Alert(Condition(labels, {"summary": "age has drifted"}), State.FIRING, 900.0, 1000.0)
        body = payload([alert], receiver="tuneloop", external_url="http://127.0.0.1")
        token = (self.folder / ".tuneloop" / "loop.token").read_text().strip()
        with contextlib.suppress(ServingError):
            post(f"{self._loop_address}/alerts", body, token=token)


@pytest.fixture
def world(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("MLFLOW_TRACKING_URI", "TUNELOOP_DATABASE_URL", "TUNELOOP_STORE_URL"):
        monkeypatch.delenv(name, raising=False)
    world = World(tmp_path, database_url)
    yield world
    world.close()


def _descendants(pid: int) -> list[int]:
    """The processes below one, the youngest last."""
    with contextlib.suppress(OSError):
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return sorted([*children, *(below for child in children for below in _descendants(child))])
    return []


def _reported(world: World) -> dict[str, Any]:
    """What `tuneloop accuracy` says, from the store alone."""
    command = [sys.executable, "-m", "tuneloop.cli.main", "accuracy", "--json"]
    where = ["--artifact", str(world.folder / "artifact"), "--store-url", world.store_url]
    done = subprocess.run([*command, *where], capture_output=True, text=True, check=True, timeout=900)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_what_was_acknowledged_is_there_whoever_is_killed(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    record_property("seed", SEED)
    log = Log()
    # The file is the harder case, as a killed writer leaves its lock and its log; the other way is the same.
    parts = CLIENTS if world.store_url.startswith("sqlite") else 4 * CLIENTS
    each = {"predictions": PREDICTIONS // parts + ROWS, "labels": LABELS // parts + ROWS}
    clients = [Client(world.address, log, SEED + n, **each) for n in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    killers = [
        Killer(world, log, random.Random(SEED - 1), ["server", "worker", "worker"], (0.3, 2.5)),
        Killer(world, log, random.Random(SEED - 2), ["loop"], (0.3, 5.0)),
    ]
    begun = time.monotonic()
    for thread in (*threads, *killers):
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            assert time.monotonic() - begun < PATIENCE, f"seed {SEED}: {len(log.answers)} answers, {world.kills}"
            time.sleep(0.1)
    finally:
        log.over.set()
        for thread in (*threads, *killers):
            thread.join()
    assert [killer.failure for killer in killers] == [None, None]
    said = f"seed {SEED}: {world.kills}, {log.failed} requests failed"
    assert len(log.answers) >= PREDICTIONS * CLIENTS // parts, said
    assert len(log.labels) >= LABELS * CLIENTS // parts, said
    assert all(world.kills.values()), said
    assert log.failed > 0, said

    store = PredictionStore(world.store_url)
    found = store.predictions(log.answers)
    assert len(found) == len(log.answers), said
    assert all(found[id_].answer["label"] == label for id_, label in log.answers.items()), said
    pairs = store.labelled_rows(MODEL)
    assert {pair.prediction.id: pair.label for pair in pairs} == log.labels, said
    store.close()
    (version,) = _reported(world)["figures"]
    assert (version["labelled"], version["scores"]["accuracy"]["value"]) == (len(log.labels), log.accuracy), said
    runs = world.loop_status()["runs"]
    assert len(runs) <= 1, said

"""Two loops on one PostgreSQL, in folders and on ports of their own, as on two hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.postgres import Postgres

from tuneloop.api import TuneloopError
from tuneloop.loop.leader import Leadership, lead
from tuneloop.loop.records import Database
from tuneloop.monitoring.alerts import Alert, Condition, State
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.webhook import payload, post
from tuneloop.pipeline.runs.durable import launched

DRIVER = Path(__file__).with_name("driver.py")
DEADLINE = 300.0


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


@contextmanager
def nothing() -> Iterator[None]:
    yield


def test_one_leads_and_the_next_follows_when_it_lets_go(postgres: str) -> None:
    one, other, else_ = Leadership(postgres, "desk"), Leadership(postgres, "desk"), Leadership(postgres, "shop")
    assert (one.take(), other.take(), else_.take()) == (True, False, True)
    assert one.held()
    assert not other.held()
    one.release()
    assert other.take()
    other.release()
    else_.release()


def test_many_who_want_to_lead_never_do_so_together(postgres: str) -> None:
    asked, at_work, most, done = threading.Event(), threading.Lock(), [0], [0]

    def work(_: threading.Event) -> None:
        assert at_work.acquire(blocking=False)
        done[0] += 1
        time.sleep(0.02)
        at_work.release()

    def run() -> None:
        try:
            lead(Leadership(postgres, "desk"), asked, work, nothing, look=0.01)
        except AssertionError:
            most[0] += 1

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert (done[0], most[0]) == (8, 0)


def test_a_leader_whose_lock_is_lost_stops_and_leads_again(postgres_server: Postgres, postgres: str) -> None:
    asked, terms, waits = threading.Event(), [0], [0]

    def work(over: threading.Event) -> None:
        terms[0] += 1
        if terms[0] == 1:
            postgres_server.cut(postgres.rpartition("/")[2])
            assert over.wait(DEADLINE)
        elif terms[0] == 2:
            postgres_server.cut(postgres.rpartition("/")[2])
            raise ConnectionError("the records are away")
        else:
            asked.set()
            assert over.wait(DEADLINE)

    @contextmanager
    def waiting() -> Iterator[None]:
        waits[0] += 1
        yield

    lead(Leadership(postgres, "desk"), asked, work, waiting, look=0.02)
    assert (terms[0], waits[0]) == (3, 2)


def test_an_error_of_the_work_itself_is_raised(postgres: str) -> None:
    def work(_: threading.Event) -> None:
        raise TuneloopError("the project is broken")

    with pytest.raises(TuneloopError, match="broken"):
        lead(Leadership(postgres, "desk"), threading.Event(), work, nothing)
    next_ = Leadership(postgres, "desk")
    assert next_.take()
    next_.release()


def test_a_database_that_cannot_be_used_is_named_without_its_password(tmp_path: Path, postgres: str) -> None:
    away = "postgresql+psycopg://me:geheim@127.0.0.1:1/x"
    said = []
    for open_ in (
        lambda: lead(Leadership(away, "desk"), threading.Event(), lambda _: None, nothing),
        lambda: Database(away, "desk"),
    ):
        with pytest.raises(TuneloopError, match="nobody listens") as caught:
            open_()
        said.append(str(caught.value))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNELOOP_DATABASE_URL", away)
        with pytest.raises(TuneloopError, match="nobody listens") as caught, launched(tmp_path, "a", lambda: None):
            pass
        said.append(str(caught.value))
        patch.setattr("tuneloop.monitoring.postgres.OLDEST", 99)
        with pytest.raises(TuneloopError, match="99 or newer"):
            Leadership(postgres, "desk").take()
        with pytest.raises(TuneloopError, match="99 or newer"):
            Database(postgres, "desk")
    assert not any("geheim" in one for one in said)


@dataclass
class Host:
    """A loop in a folder of its own."""

    root: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    address: str = ""

    def start(self, url: str, kill: str = "-") -> subprocess.Popen[str]:
        self.root.mkdir(exist_ok=True)
        with (self.root / "loop.err").open("a") as errors:
            process = subprocess.Popen(
                [sys.executable, str(DRIVER), str(self.root), "http://127.0.0.1:1", kill, "broken"],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "TUNELOOP_DATABASE_URL": url, "TUNELOOP_STORE_URL": url},
            )
        self.processes.append(process)
        assert process.stdout is not None
        said = process.stdout.readline().split()
        assert said, (self.root / "loop.err").read_text()[-3000:]
        self.address = said[-1]
        return process

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"{self.address}{path}", timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except (urllib.error.URLError, ConnectionError):
            # It has just changed from leading to waiting, or back.
            return 0, {}

    def leads(self) -> bool:
        return self.get("/readyz")[1].get("status") == "ready"

    def runs(self) -> list[dict[str, Any]]:
        status, content = self.get("/status")
        assert status == 200, content
        found: list[dict[str, Any]] = content["runs"]
        return found

    def alert(self) -> None:
        labels = (("alertname", "TuneloopSignalDrift"), ("model", "desk"), ("signal", "x"), ("version", "1"))
        alert = Alert(Condition(labels, {"summary": "x has drifted"}), State.FIRING, 900.0, 1000.0)
        body = payload([alert], receiver="tuneloop", external_url="http://127.0.0.1")
        post(f"{self.address}/alerts", body, token=(self.root / ".tuneloop" / "loop.token").read_text().strip())


@pytest.fixture
def hosts(tmp_path: Path, postgres: str) -> Iterator[tuple[Host, Host]]:
    store = PredictionStore(postgres)
    now = time.time()
    ids = [f"p{number}" for number in range(20)]
    store.add_predictions([Prediction(id_, "desk", "1", now, {"x": n}, {}) for n, id_ in enumerate(ids)])
    store.add_labels([(id_, "ab"[n % 2]) for n, id_ in enumerate(ids)])
    store.close()
    pair = Host(tmp_path / "one"), Host(tmp_path / "two")
    yield pair
    for process in (process for host in pair for process in host.processes):
        process.kill()
        process.communicate()


def test_the_second_loop_waits_and_goes_on_where_the_first_was_killed(hosts: tuple[Host, Host], postgres: str) -> None:
    one, two = hosts
    first = one.start(postgres, "train:before")
    assert one.leads()
    two.start(postgres)
    assert two.get("/readyz") == (200, {"status": "standby"})
    status, said = two.get("/status")
    assert (status, "another loop" in said["detail"]) == (503, True)
    one.alert()
    assert first.wait(DEADLINE) == -9
    until(two.leads, (two.root / "loop.err").read_text())
    until(lambda: two.runs()[0]["ended"], "the run is not ended")
    (run,) = two.runs()
    assert (run["outcome"], "no memory" in run["reason"]) == ("failed", True)
    assert not (one.root / "trainings").exists()
    # Frozen anew: the first one's folder is not there.
    assert (two.root / "trainings").read_text().split() == [run["run"], "20"]


def test_a_loop_that_was_cut_off_comes_back(hosts: tuple[Host, Host], postgres_server: Postgres, postgres: str) -> None:
    one, _ = hosts
    process = one.start(postgres)
    postgres_server.stop()
    try:
        until(lambda: one.get("/readyz") == (200, {"status": "standby"}), (one.root / "loop.err").read_text())
    finally:
        postgres_server.start()
    until(one.leads, (one.root / "loop.err").read_text())
    one.alert()
    until(lambda: one.runs()[0]["ended"], "the run is not ended")
    process.terminate()
    assert process.wait(DEADLINE) == 0

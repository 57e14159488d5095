"""Real processes: a server that does nothing, and the load generator as the benchmark drives it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.bench.generator import Generator
from tests.bench.job import Job
from tests.bench.processes import Server
from tests.bench.talk import Talker

from tuneloop.monitoring.stack import free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.echo", str(port)]
    started = Server.start(command, port=port, ready="/", log=tmp_path / "log", environment={})
    yield started
    started.stop()


def test_a_server_answers_sleeps_and_ends(server: Server) -> None:
    job = Job(port=server.port, path="/", bodies=["{}"], concurrency=4, seconds=3600, requests=400)
    with Generator() as generator:
        assert generator.run(job).count == 400
        server.sleep()
        statuses = [one.status() for one in server.tree]
        server.wake()
        # One generator serves many jobs.
        outcome = generator.run(job)
    assert set(statuses) == {psutil.STATUS_STOPPED}
    assert (outcome.count, outcome.failures) == (400, {})
    assert server.cpu_seconds() > 0
    assert server.resident_bytes() > 1_000_000
    members = server.tree
    server.stop()
    assert not any(one.is_running() for one in members)


def test_a_sleeping_server_can_be_ended(server: Server) -> None:
    server.sleep()
    server.stop()
    assert server.process.poll() is not None


def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with pytest.raises(RuntimeError, match="no such model"):
        Server.start(command, port=free_port(), ready="/", log=tmp_path / "log", environment={})


def test_a_generator_that_fails_says_so() -> None:
    job = Job(port=free_port(), path="/", bodies=["{}"])
    with Generator() as generator, pytest.raises(RuntimeError, match="ended with status 1"):
        generator.run(job)


def test_a_helper_ends_with_its_input() -> None:
    with Talker("tests.bench.load") as talker:
        assert talker.cpu_seconds() >= 0
    assert talker._process.returncode == 0

"""Restarts and killed workers: every request is counted."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import httpx
import psutil
import pytest
from tests.unit.serving.change.conftest import MODEL, Load, Stage, until

Serve = Callable[..., Stage]


def test_workers_that_are_restarted_in_turn_lose_no_request(serve: Serve) -> None:
    stage = serve(workers=2)
    stage.until(stage.whole)
    load = Load(lambda _: stage.server.url)
    with load.running():
        for worker in stage.processes():
            load.more(50)
            os.kill(worker, signal.SIGTERM)
            stage.until(lambda gone=worker: stage.whole(without={gone}))  # type: ignore[misc]
        load.more(50)
    assert set(load.counts) == {"1"}


def test_a_server_that_is_asked_to_reload_replaces_all_workers_and_loses_no_request(serve: Serve) -> None:
    stage = serve(workers=2)
    stage.until(stage.whole)
    before = stage.processes()
    load = Load(lambda _: stage.server.url)
    with load.running():
        load.more(50)
        os.kill(stage.server.pid, signal.SIGHUP)
        stage.until(lambda: stage.whole(without=before))
        load.more(50)
    assert set(load.counts) == {"1"}


def test_a_killed_worker_takes_only_its_own_requests_with_it(serve: Serve) -> None:
    stage = serve(workers=2)
    stage.until(stage.whole)
    load = Load(lambda _: stage.server.url)
    with load.running():
        for worker in sorted(stage.processes()):
            load.more(50)
            before = [one.count("1") for one in load.outcomes]
            os.kill(worker, signal.SIGKILL)
            stage.until(lambda gone=worker: stage.whole(without={gone}))  # type: ignore[misc]
            # Everybody is answered again, and counters went on from where they were.
            until(lambda old=before: all(one.count("1") > had for one, had in zip(load.outcomes, old, strict=True)))
    lost = [len(one) - one.count("1") for one in load.outcomes]
    assert set(load.counts) <= {"1", "ReadError", "RemoteProtocolError", "WriteError"}
    # A client has one request under way at a time, and two workers were killed.
    assert max(lost) <= 2
    answered = load.counts["1"]
    assert answered <= stage.total("tuneloop_predictions_total", model=MODEL) <= answered + sum(lost)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word that a parent died is Linux's")
def test_workers_end_when_their_supervisor_is_killed(serve: Serve) -> None:
    stage = serve(workers=2)
    stage.until(stage.whole)
    workers = stage.processes()
    assert len(workers) == 2
    os.kill(stage.server.pid, signal.SIGKILL)
    stage.server.wait()
    until(lambda: not any(psutil.pid_exists(worker) for worker in workers))
    # The port is free for the next server.
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{stage.server.url}/livez")


def test_servers_that_are_restarted_behind_a_balancer_lose_no_request(serve: Serve) -> None:
    stages = [serve(drain=3), serve(drain=3)]
    healthy: set[str] = {stage.server.url for stage in stages}

    def choose(number: int) -> str | None:
        known = sorted(healthy)
        return known[number % len(known)] if known else None

    def probe() -> None:
        for stage in stages:
            try:
                ready = httpx.get(f"{stage.server.url}/readyz", timeout=10).status_code == 200
            except httpx.HTTPError:
                ready = False
            (healthy.add if ready else healthy.discard)(stage.server.url)

    load = Load(choose)
    with load.running():
        for old in list(stages):
            load.more(50)
            os.kill(old.server.pid, signal.SIGTERM)
            until(lambda url=old.server.url: probe() or url not in healthy)  # type: ignore[func-returns-value,misc]
            assert old.server.wait() == 0
            stages.remove(old)
            if len(stages) == 1:
                stages.append(serve(drain=3))
                probe()
    assert set(load.counts) == {"1"}

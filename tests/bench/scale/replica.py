"""One server under load: processor time a request, memory, series, and what a look at its metrics costs."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.generator import Generator
from tests.bench.job import Job
from tests.bench.models import make_model
from tests.bench.processes import Server
from tests.bench.subjects import SUBJECTS, bodies, start
from tests.bench.workloads import table

_CLIENTS = 64
_LOOKS = 40
_MOMENT, _IDLE = 0.5, 0.1
"""Seconds between two looks at its processor time, and the share of a core below which it is idle."""


@dataclass(frozen=True)
class Replica:
    """A server of a small table model with 20 columns, by one worker.

    Attributes:
        request_cpu: Seconds of processor a request of one row, by door.
        resident: Bytes in memory of its processes after the load.
        series: On its page of metrics.
        page: Bytes of that page.
        look_cpu: Seconds of processor a look at the page.
        ready: Seconds from start to readiness.
    """

    request_cpu: dict[str, float]
    resident: int
    series: int
    page: int
    look_cpu: float
    ready: float


def measure_replica(folder: Path, seconds: float, say: Callable[[str], None]) -> Replica:
    """Serve a model, ask it, look at it.

    Raises:
        RuntimeError: A request failed.
    """
    workload = table(make_model("table", folder / "models"))
    found: dict[str, float] = {}
    with Generator() as generator:
        for name in ("tuneloop-raw", "tuneloop-typed-unwatched", "tuneloop-typed"):
            subject = SUBJECTS[name]
            server = start(subject, workload, folder, {})
            try:
                job = Job(
                    port=server.port,
                    path=subject.path(workload),
                    bodies=bodies(subject, workload),
                    concurrency=_CLIENTS,
                    seconds=seconds,
                    warm=1.0,
                )
                before = server.cpu_seconds()
                outcome = generator.run(job)
                if outcome.failures:
                    raise RuntimeError(f"{name}: {outcome.failures}: {outcome.said}")
                found[name] = (server.cpu_seconds() - before) / outcome.total
                say(f"{name}: {found[name] * 1e6:.0f} us of processor a request, {outcome.rate:,.0f} requests/s")
                if name == "tuneloop-typed":
                    resident, ready = server.resident_bytes(), server.ready_seconds
                    series, page, look = _look(server)
            finally:
                server.stop()
    return Replica(found, resident, series, page, look, ready)


def _look(server: Server) -> tuple[int, int, float]:
    """Series and bytes of the page of metrics, and seconds of processor a look."""
    url = f"http://127.0.0.1:{server.port}/metrics"
    _wait_idle(server)
    before = server.cpu_seconds()
    for _ in range(_LOOKS):
        with urllib.request.urlopen(url, timeout=30) as answer:
            text = answer.read()
    spent = (server.cpu_seconds() - before) / _LOOKS
    series = sum(1 for line in text.splitlines() if line and not line.startswith(b"#"))
    return series, len(text), spent


def _wait_idle(server: Server, patience: float = 30.0) -> None:
    """Until the server works on nothing the load left to do: that would be counted as the look's."""
    deadline, spent = time.monotonic() + patience, server.cpu_seconds()
    while time.monotonic() < deadline:
        time.sleep(_MOMENT)
        now = server.cpu_seconds()
        if now - spent < _IDLE * _MOMENT:
            return
        spent = now

"""One server under one load: what is measured, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.generator import Generator
from tests.bench.job import Job
from tests.bench.processes import Server
from tests.bench.subjects import Subject, bodies
from tests.bench.workloads import Workload

_MOST_SECONDS = 60


@dataclass(frozen=True)
class Measurement:
    """One subject under one load in one round. Times in seconds.

    Attributes:
        concurrency: Requests under way; 0 for calls in a process.
        cpu: Processor time a request, of the server's processes.
        generator: Share of one processor that the load generator took.
        failed: Requests that were refused or broken; the other figures are of good answers alone.
    """

    workload: str
    subject: str
    concurrency: int
    round: int
    rate: float
    p50: float
    p99: float
    cpu: float
    generator: float
    failed: int = 0


@dataclass(frozen=True)
class Length:
    """How long is measured: rounds, and seconds of warm-up and of load in each."""

    rounds: int
    warm: float
    seconds: float


@dataclass(frozen=True)
class Bench:
    """What all measurements of a run share.

    Attributes:
        folder: For files of servers.
        pythons: Interpreter by peer, for those with an environment of their own.
        generator: Sends the load.
        length: How long is measured.
        say: Shows progress.
    """

    folder: Path
    pythons: Mapping[str, Path]
    generator: Generator
    length: Length
    say: Callable[[str], None]


def under_load(
    bench: Bench,
    workload: Workload,
    subject: Subject,
    server: Server,
    concurrency: int,
    number: int = 0,
    length: Length | None = None,
) -> Measurement:
    """One subject under one load, for the time that `length` or the bench says.

    Raises:
        RuntimeError: Not one request was answered well.
    """
    length = length or bench.length
    job = Job(
        port=server.port,
        path=subject.path(workload),
        bodies=bodies(subject, workload),
        concurrency=concurrency,
        seconds=length.seconds,
        warm=length.warm,
    )
    before = server.cpu_seconds()
    outcome = bench.generator.run(job)
    while not outcome.count and not outcome.failures and job.seconds < _MOST_SECONDS:
        # A large batch of a slow model may take longer than was measured.
        job = job.model_copy(update={"seconds": 2 * job.seconds})
        before = server.cpu_seconds()
        outcome = bench.generator.run(job)
    spent = server.cpu_seconds() - before
    if not outcome.count:
        raise RuntimeError(f"{subject.name} at {concurrency}: failures {outcome.failures}: {outcome.said}")
    if outcome.failures:
        bench.say(f"{subject.name} at {concurrency}: failures {outcome.failures}: {outcome.said}")
    return Measurement(
        workload.name,
        subject.name,
        concurrency,
        number,
        outcome.rate,
        outcome.p50,
        outcome.p99,
        spent / outcome.total,
        outcome.cpu / (job.warm + job.seconds),
        sum(outcome.failures.values()),
    )

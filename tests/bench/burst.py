"""After a burst: the latency of a single client right after 64 have gone, beside what it was before."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.loads import Bench, Length, under_load
from tests.bench.processes import Server
from tests.bench.subjects import Subject, start
from tests.bench.workloads import Workload

CROWD = 64
_CALM_SECONDS = 1.0


@dataclass(frozen=True)
class Burst:
    """Median latency of a single client before and right after, in seconds, in one round."""

    workload: str
    subject: str
    round: int
    before: float
    after: float


def measure_bursts(bench: Bench, workload: Workload, subjects: Sequence[Subject]) -> list[Burst]:
    """Every subject in turn, in every round."""
    found: list[Burst] = []
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for subject in subjects:
            servers[subject.name] = server = start(subject, workload, bench.folder, bench.pythons)
            stack.callback(server.stop)
            server.sleep()
        for number in range(bench.length.rounds):
            for subject in subjects:
                server = servers[subject.name]
                server.wake()
                one = _burst(bench, workload, subject, server, number)
                server.sleep()
                found.append(one)
                bench.say(
                    f"{workload.name}: burst {number + 1}/{bench.length.rounds}, {subject.name}: "
                    f"{one.before * 1e3:.2f} ms before, {one.after * 1e3:.2f} ms right after"
                )
    return found


def _burst(bench: Bench, workload: Workload, subject: Subject, server: Server, number: int) -> Burst:
    # No warm-up after the crowd: the first requests are what is asked about.
    calm, crowd = Length(1, 0.0, _CALM_SECONDS), Length(1, 0.0, bench.length.seconds)
    under_load(bench, workload, subject, server, 1, number, calm)
    before = under_load(bench, workload, subject, server, 1, number, calm)
    under_load(bench, workload, subject, server, CROWD, number, crowd)
    after = under_load(bench, workload, subject, server, 1, number, calm)
    return Burst(workload.name, subject.name, number, before.p50, after.p50)

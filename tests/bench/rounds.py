"""The rounds: every subject in turn under every load, in an order that rotates, each alone while the others sleep."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np
from tests.bench.ceilings import Ceiling
from tests.bench.inside import Turn
from tests.bench.loads import Bench, Measurement, under_load
from tests.bench.processes import Server
from tests.bench.subjects import Subject, bodies, start
from tests.bench.workloads import Workload

from tuneloop.tasks.temperature import tempered

_TOLERANCE = 0.02
"""Between a subject's logits and the graph's in this process."""
_INT8_TOLERANCE = 0.5
"""The same where the graph rounds to 8 bits by the range of its whole batch."""
_CHECKED = 16


def measure(
    bench: Bench,
    workload: Workload,
    subjects: Sequence[Subject],
    concurrencies: Sequence[int],
    ceilings: Sequence[Ceiling],
) -> list[Measurement]:
    """Start all subjects, check their answers, and measure them and the ceilings, interleaved.

    Raises:
        RuntimeError: A server does not start, answers wrongly or answers nothing.
    """
    found: list[Measurement] = []
    with ExitStack() as stack:
        turns: list[Callable[[int], list[Measurement]]] = []
        for subject in subjects:
            bench.say(f"{workload.name}: starting {subject.name}")
            server = start(subject, workload, bench.folder, bench.pythons)
            stack.callback(server.stop)
            check_answers(subject, workload, server.port)
            server.sleep()
            turns.append(_server_turn(bench, workload, subject, server, concurrencies))
        turns += [_ceiling_turn(bench, workload, ceiling) for ceiling in ceilings]
        for number in range(bench.length.rounds):
            first = number % len(turns)
            for turn in (*turns[first:], *turns[:first]):
                for one in turn(number):
                    found.append(one)
                    bench.say(
                        f"{workload.name} {number + 1}/{bench.length.rounds}: {one.subject} at {one.concurrency}: "
                        f"{one.rate:.0f}/s, p99 {one.p99 * 1e3:.1f} ms, cpu {one.cpu * 1e6:.0f} us"
                    )
    return found


def _server_turn(
    bench: Bench, workload: Workload, subject: Subject, server: Server, concurrencies: Sequence[int]
) -> Callable[[int], list[Measurement]]:
    def turn(number: int) -> list[Measurement]:
        server.wake()
        try:
            return [under_load(bench, workload, subject, server, one, number) for one in concurrencies]
        finally:
            server.sleep()

    return turn


def _ceiling_turn(bench: Bench, workload: Workload, ceiling: Ceiling) -> Callable[[int], list[Measurement]]:
    def turn(number: int) -> list[Measurement]:
        pace = ceiling.measure(Turn(warm=bench.length.warm, seconds=bench.length.seconds))
        return [Measurement(workload.name, ceiling.name, 0, number, pace.rate, pace.p50, pace.p99, pace.cpu, 0.0)]

    return turn


def check_answers(subject: Subject, workload: Workload, port: int) -> None:
    """Ask it some of the requests: it must give what the graph gives.

    Raises:
        RuntimeError: It does not.
    """
    tolerance = _INT8_TOLERANCE if workload.quantized else _TOLERANCE
    for sample, body in list(zip(workload.samples, bodies(subject, workload), strict=True))[:_CHECKED]:
        url = f"http://127.0.0.1:{port}{subject.path(workload)}"
        request = urllib.request.Request(url, body.encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if subject.logits is None:
            continue
        given = subject.logits(answer)
        outputs = {"logits": np.array([sample.logits], np.float32)}
        wanted = tempered(outputs, workload.temperature if subject.tempers else 1.0)["logits"][0].tolist()
        pairs = zip(given, wanted, strict=False)
        if len(given) != len(wanted) or any(abs(one - other) > tolerance for one, other in pairs):
            raise RuntimeError(f"{subject.name} answers {list(given)}; the graph gives {wanted}")

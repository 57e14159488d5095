"""The load generator: a process of its own that keeps a fixed number of requests under way over kept connections.

`python -m tests.bench.load` reads one job a line (JSON) and answers each with one line (JSON): see `job.py`.
Each connection sends its next request when the last is answered whole: a closed loop.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httptools
from tests.bench.job import Job, Outcome
from tests.bench.numbers import quantile


class _Run:
    """What the connections of one job share."""

    def __init__(self, job: Job) -> None:
        self.requests: Iterator[bytes] = itertools.cycle(_messages(job))
        self.begin = time.perf_counter() + job.warm
        self.end = self.begin + job.seconds
        self.left = job.requests if job.requests is not None else sys.maxsize
        self.latencies = array("d")
        self.last = self.begin
        self.total = 0
        self.failures: Counter[str] = Counter()
        self.said = b""

    def answered(self, sent: float, status: int, body: bytes) -> None:
        """Note one answer."""
        now = time.perf_counter()
        self.total += 1
        if status != 200:
            self.failures[str(status)] += 1
            self.said = self.said or body[:400]
        elif self.begin <= now <= self.end:
            self.latencies.append(now - sent)
            self.last = now

    @property
    def over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.left <= 0 or time.perf_counter() >= self.end


class _Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self, run: _Run, closed: asyncio.Future[None]) -> None:
        self._run, self._closed = run, closed
        self._sent = 0.0
        self._body = b""
        self._waiting = False
        self._transport: Any = None
        self._parser: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        self._send()

    def _send(self) -> None:
        if self._run.over:
            self._transport.close()
            return
        self._run.left -= 1
        self._body = b""
        self._waiting = True
        self._sent = time.perf_counter()
        self._transport.write(next(self._run.requests))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._waiting = False
        self._run.answered(self._sent, self._parser.get_status_code(), self._body)
        if self._parser.should_keep_alive():
            self._send()
        else:
            self._run.failures["closed by the server"] += 1
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting:
            self._run.failures[type(error).__name__ if error else "closed in the middle"] += 1
        if not self._closed.done():
            self._closed.set_result(None)


def _messages(job: Job) -> list[bytes]:
    heads = {"host": f"127.0.0.1:{job.port}", **job.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in heads.items())
    encoded = [body.encode("latin-1") for body in job.bodies]
    return [f"POST {job.path} HTTP/1.1\r\n{lines}content-length: {len(b)}\r\n\r\n".encode() + b for b in encoded]


async def run_job(job: Job) -> Outcome:
    """Send what a job says.

    Raises:
        OSError: Nobody listens.
    """
    loop = asyncio.get_running_loop()
    run = _Run(job)
    cpu = time.process_time()
    closed: list[asyncio.Future[None]] = []
    for _ in range(job.concurrency):
        future: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda future=future: _Connection(run, future), "127.0.0.1", job.port)  # type: ignore[misc]
        closed.append(future)
    await asyncio.gather(*closed)
    found = sorted(run.latencies)
    # Where the number of requests ended it, the seconds did not.
    seconds = job.seconds if job.requests is None else max(run.last - run.begin, 1e-9)
    return Outcome(
        rate=len(found) / seconds,
        count=len(found),
        total=run.total,
        mean=sum(found) / len(found) if found else 0.0,
        p50=quantile(found, 0.50),
        p99=quantile(found, 0.99),
        worst=found[-1] if found else 0.0,
        cpu=time.process_time() - cpu,
        failures=dict(run.failures),
        said=run.said.decode(errors="replace"),
    )


def main() -> None:
    """Answer jobs until the input ends."""
    import uvloop

    for line in sys.stdin:
        outcome = uvloop.run(run_job(Job.model_validate_json(line)))
        sys.stdout.write(outcome.model_dump_json() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

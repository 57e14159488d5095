"""The generator against a real server in the same event loop, which counts what it gets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from tests.bench.job import Job, Outcome
from tests.bench.load import run_job

GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\ntoo much!"
LAST = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"


@dataclass
class Peer:
    """Answers the n-th request with `answer(n)`."""

    answer: Callable[[int], bytes]
    heads: list[bytes] = field(default_factory=list)
    bodies: Counter[bytes] = field(default_factory=Counter)
    at_once: int = 0
    most: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await read_head(reader):
                self.heads.append(head)
                self.at_once += 1
                self.most = max(self.most, self.at_once)
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.bodies[await reader.readexactly(length)] += 1
                # Others get the chance to be there at the same time.
                await asyncio.sleep(0.002)
                self.at_once -= 1
                answer = self.answer(len(self.heads))
                writer.write(answer)
                await writer.drain()
                if answer == HALF:
                    return
        finally:
            writer.close()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def ask(
    answer: Callable[[int], bytes], *, concurrency: int = 1, requests: int = 20, bodies: Sequence[str] = ("{}",)
) -> tuple[Outcome, Peer]:
    peer = Peer(answer)

    async def both() -> Outcome:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        job = Job(port=port, path="/ask", bodies=list(bodies), concurrency=concurrency, seconds=3600, requests=requests)
        async with server:
            return await asyncio.wait_for(run_job(job), 120)

    return asyncio.run(both()), peer


@pytest.mark.parametrize("answer", [GOOD, CHUNKED])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_every_request_is_counted_once(answer: bytes, concurrency: int) -> None:
    outcome, peer = ask(lambda _: answer, concurrency=concurrency, requests=50)
    assert len(peer.heads) == outcome.total == outcome.count == 50
    assert outcome.failures == {}
    assert peer.most == concurrency
    assert 0 < outcome.p50 <= outcome.p99 <= outcome.worst
    assert outcome.rate > 0


def test_requests_are_whole_and_their_bodies_take_turns() -> None:
    bodies = ['{"n":1}', '{"n":2}', '{"n":3}']
    _, peer = ask(lambda _: GOOD, requests=9, bodies=bodies)
    assert peer.bodies == {body.encode(): 3 for body in bodies}
    assert peer.heads[0].startswith(b"POST /ask HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\ncontent-type: application/json\r\n" in peer.heads[0]


def test_refusals_are_no_good_answers() -> None:
    outcome, _ = ask(lambda number: BUSY if number % 4 == 0 else GOOD, requests=20)
    assert (outcome.count, outcome.total, outcome.failures) == (15, 20, {"503": 5})
    assert outcome.said == "too much!"


def test_a_connection_that_the_server_ends_is_counted() -> None:
    outcome, _ = ask(lambda number: LAST if number == 5 else GOOD, requests=20)
    assert (outcome.count, outcome.failures) == (5, {"closed by the server": 1})


def test_an_answer_that_breaks_off_is_counted() -> None:
    outcome, _ = ask(lambda number: HALF if number == 5 else GOOD, requests=20)
    assert (outcome.count, outcome.total) == (4, 4)
    assert sum(outcome.failures.values()) == 1


def test_time_ends_a_job_too() -> None:
    peer = Peer(lambda _: GOOD)

    async def both() -> Outcome:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await run_job(Job(port=port, path="/", bodies=["{}"], concurrency=3, seconds=0.3, warm=0.2))

    outcome = asyncio.run(both())
    assert outcome.total == len(peer.heads)
    assert outcome.count <= outcome.total
    assert outcome.failures == {}


def test_nobody_listens() -> None:
    async def ask_nobody() -> Outcome:
        server = await asyncio.start_server(Peer(lambda _: GOOD), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return await run_job(Job(port=port, path="/", bodies=["{}"]))

    with pytest.raises(OSError, match="Connect call failed"):
        asyncio.run(ask_nobody())

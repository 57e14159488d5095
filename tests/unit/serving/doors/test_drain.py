from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import httpx
import pytest

from tuneloop.api import ServingError
from tuneloop.serving.doors.drain import VARIABLE, Drain, Draining


async def application(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-length", b"2"), (b"Connection", b"keep-alive")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


def test_a_draining_worker_answers_fails_its_probes_and_closes_connections() -> None:
    async def play() -> None:
        ended: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
        try:
            drain = Drain(0.05)
            drain.listen()
            app = httpx.ASGITransport(Draining(application, drain, "desk"))
            async with httpx.AsyncClient(transport=app, base_url="http://worker") as client:
                for path in ("/predict", "/readyz", "/v2/health/ready"):
                    answer = await client.get(path)
                    assert (answer.status_code, answer.headers["connection"]) == (200, "keep-alive")
                os.kill(os.getpid(), signal.SIGTERM)
                assert drain.begun
                assert not ended
                for path in ("/predict", "/livez"):
                    answer = await client.get(path)
                    assert (answer.status_code, answer.headers.get_list("connection")) == (200, ["close"])
                for path in ("/readyz", "/v2/health/ready", "/v2/models/desk/ready"):
                    answer = await client.get(path)
                    assert (answer.status_code, answer.json()["type"]) == (503, "urn:tuneloop:problem:not-ready")
            async with asyncio.timeout(30):
                while not ended:
                    await asyncio.sleep(0.01)
        finally:
            signal.signal(signal.SIGTERM, before)
        assert ended == [signal.SIGTERM]

    asyncio.run(play())


def test_a_second_signal_ends_the_wait() -> None:
    async def play() -> None:
        ended: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
        try:
            Drain(3600).listen()
            os.kill(os.getpid(), signal.SIGTERM)
            assert not ended
            os.kill(os.getpid(), signal.SIGTERM)
            assert ended == [signal.SIGTERM]
        finally:
            signal.signal(signal.SIGTERM, before)

    asyncio.run(play())


@pytest.mark.parametrize("given", ["soon", "-1", "inf", "nan"])
def test_seconds_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(ServingError, match=f"{VARIABLE} is '{given}'"):
        Drain.from_environment({VARIABLE: given})
    assert not Drain.from_environment({}).begun

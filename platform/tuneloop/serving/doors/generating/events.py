"""Server-sent events (WHATWG HTML, section 9.2), and clients that hang up while a text is made for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import orjson

from tuneloop.serving.doors.body import Receive
from tuneloop.serving.doors.problems import Problem

T = TypeVar("T")
Send = Callable[[Any], Awaitable[None]]

DONE = b"data: [DONE]\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # nginx would collect what is to be seen at once.
    (b"x-accel-buffering", b"no"),
]


class GoneError(Problem):
    """The client has hung up: there is nobody to answer."""

    def __init__(self) -> None:
        super().__init__("client-gone", "the client hung up while its text was generated")


async def while_there(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of some work, which is cancelled once the client hangs up. Call it when the body was read.

    Raises:
        GoneError: It has.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise GoneError
    finally:
        for one in (task, gone):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await one


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Events:
    """A stream of events to one client; the head goes out with the first event, so that a refusal can still come."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def put(self, content: Any) -> None:
        """Send one event with a JSON value."""
        await self.raw(b"data: " + orjson.dumps(content) + b"\n\n")

    async def raw(self, event: bytes) -> None:
        """Send an event as it is."""
        if not self.begun:
            self.begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._send({"type": "http.response.body", "body": event, "more_body": True})

    async def end(self) -> None:
        """No event follows."""
        await self._send({"type": "http.response.body", "body": b""})

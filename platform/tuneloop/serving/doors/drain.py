"""SIGTERM without a lost request: readiness goes false, and requests are still answered until everybody has seen it.

After SIGTERM a worker goes on for `TUNELOOP_DRAIN_SECONDS`. Its probes say that it is not ready, so that balancers turn
away; each answer closes its connection, so that clients open the next one elsewhere. Then it stops to listen, and only
when the connections that were accepted before have asked does uvicorn close what is idle. Another worker at the same
port takes what this one no longer accepts. A second SIGTERM ends the wait.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Mapping, MutableMapping
from types import FrameType
from typing import Any

from tuneloop.api import ServingError
from tuneloop.serving.doors.problems import Problem

logger = logging.getLogger(__name__)

VARIABLE = "TUNELOOP_DRAIN_SECONDS"
DRAIN_SECONDS = 1.0
"""By default; behind a balancer it should be longer than two of its probes are apart."""
_LAST_WORDS = 0.5
"""Seconds, at most, for connections that were accepted in the last moment to send their request."""
_POLL_SECONDS = 0.02

_PROBES = ("/readyz", "/v2/health/ready")


class Drain:
    """The end of one worker.

    Args:
        seconds: From SIGTERM until it stops to listen.
    """

    def __init__(self, seconds: float = DRAIN_SECONDS) -> None:
        self._seconds = seconds
        self._begun = False
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Drain:
        """Read `TUNELOOP_DRAIN_SECONDS`.

        Raises:
            ServingError: It is no number of seconds.
        """
        given = environment.get(VARIABLE)
        if not given:
            return cls()
        try:
            seconds = float(given)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < math.inf:
            raise ServingError(f"the environment variable {VARIABLE} is {given!r}; it must be a number of seconds")
        return cls(seconds)

    @property
    def begun(self) -> bool:
        """Whether this worker is about to end."""
        return self._begun

    def listen(self) -> None:
        """Take SIGTERM over from uvicorn, whose handler is called at the end. Call it in the event loop."""
        before = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread() or not callable(before):
            return
        loop, then = asyncio.get_running_loop(), before

        def handle(number: int, frame: FrameType | None) -> None:
            if self.begun:
                then(number, frame)
            else:
                self._begun = True
                loop.call_soon_threadsafe(self._begin, then)

        signal.signal(signal.SIGTERM, handle)

    def _begin(self, then: Callable[[int, FrameType | None], Any]) -> None:
        logger.info("SIGTERM: not ready any more; requests are answered for another %g s", self._seconds)
        self._task = asyncio.create_task(self._end(then))

    async def _end(self, then: Callable[[int, FrameType | None], Any]) -> None:
        try:
            await asyncio.sleep(self._seconds)
            # uvicorn's handler is a method of its server.
            server = getattr(then, "__self__", None)
            for listener in getattr(server, "servers", ()):
                listener.close()
            deadline = asyncio.get_running_loop().time() + _LAST_WORDS
            while _silent(server) and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            then(signal.SIGTERM, None)


def _silent(server: Any) -> bool:
    """Whether a connection of uvicorn's server has not asked anything yet: closed now, its request would be lost."""
    connections = getattr(getattr(server, "server_state", None), "connections", ())
    return any(getattr(connection, "cycle", None) is None for connection in connections)


class Draining:
    """An ASGI middleware around the whole application of a worker."""

    def __init__(self, app: Any, drain: Drain, model: str) -> None:
        self._app, self._drain = app, drain
        self._probes = (*_PROBES, f"/v2/models/{model}/ready")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass a request on; while the worker drains, fail its probes and close its connections."""
        if not self._drain.begun or scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def last(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*kept, (b"connection", b"close")]}
            await send(message)

        if scope["path"] not in self._probes:
            await self._app(scope, receive, last)
            return
        problem = Problem("not-ready", "the server is stopping")
        extra = {"error": problem.said} if scope["path"].startswith("/v2") else {}
        await problem.response(**extra)(scope, receive, last)

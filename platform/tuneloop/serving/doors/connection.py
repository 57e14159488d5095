"""uvicorn's HTTP connection with limits to the head of a request, and with refusals that are JSON problems.

uvicorn collects a request's line and headers without a limit of size or time before the application sees anything of
it, so a client could fill the memory with one endless header, or hold a connection open for ever.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tuneloop.serving.doors.problems import MEDIA_TYPE, Problem
from tuneloop.serving.doors.refusals import count_refusal
from tuneloop.serving.limits import DEFAULT_LIMITS, Limits

MOST_HEAD_BYTES = 64 << 10
"""Of request line and headers together; what arrives in one read of the socket may go over it."""


def limit_connections(model: str, limits: Limits) -> None:
    """Make uvicorn use limited connections in this process, from the next server it starts.

    Args:
        model: The `model` label of refusals.
        limits: Of which `body_seconds` is the time for a head.
    """
    protocol = type("LimitedProtocol", (LimitedProtocol,), {"model": model, "seconds": limits.body_seconds})
    # BentoML starts uvicorn and leaves the choice of the protocol to it: this is the table it chooses from.
    uvicorn.config.HTTP_PROTOCOLS["auto"] = protocol  # type: ignore[assignment]


class LimitedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        model: The `model` label of refusals.
        seconds: Within which a head must arrive, and a new connection must begin to ask.
    """

    model: ClassVar[str] = ""
    seconds: ClassVar[float] = DEFAULT_LIMITS.body_seconds

    _in_head = False
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first byte of a request was read."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head was read; its body has limits of its own."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that arrives in parts is measured."""
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(Problem("head-too-large", f"line and headers have at most {MOST_HEAD_BYTES} bytes"))
        elif self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._too_slow)

    def send_400_response(self, msg: str) -> None:
        """What was read is not HTTP."""
        self._refuse(Problem("malformed-http", msg))

    def _too_slow(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._in_head:
            self._refuse(Problem("slow-request", f"line and headers did not arrive within {self.seconds:g} s"))
        else:
            # Nothing was asked, so there is nothing to answer.
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, problem: Problem) -> None:
        self._stop_timer()
        self._in_head = False
        count_refusal(self.model, problem)
        self.transport.write(_response(problem))
        self.transport.close()


def _response(problem: Problem) -> bytes:
    body = problem.body()
    head: dict[str, Any] = {"content-type": MEDIA_TYPE, "content-length": len(body), "connection": "close"}
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}", *(f"{k}: {v}" for k, v in head.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body

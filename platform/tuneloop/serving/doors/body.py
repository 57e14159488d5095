"""Request bodies: read within limits of size and time, and parsed strictly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import orjson

from tuneloop.serving.doors.problems import Problem

MOST_BYTES = 16 << 20
MOST_ROWS = 1024
MOST_LABELS = 10_000
"""Labels in a request: they are joined, not computed."""
MOST_CONTAINERS = 1 << 19
"""Lists and objects in a body: an empty one takes two bytes of a body and seventy of memory."""
SMALL_BYTES = 64 << 10
"""Bodies up to this size are always read; larger ones share `Limits.held_bytes`."""
DRAIN_BYTES = 16 * MOST_BYTES
"""Of a refused body, read and dropped: a client that is still sending would else see a broken connection, and never
the refusal."""

Receive: TypeAlias = Callable[[], Awaitable[Any]]


class BodyReader:
    """Reads the bodies of one worker within limits of size, time and memory. `done` gives the memory of each back."""

    def __init__(self, seconds: float, most_held: int) -> None:
        """Hold nothing yet.

        Args:
            seconds: Within which a body must arrive.
            most_held: Bytes of large bodies held at one time, from their first part until `done`.
        """
        self._seconds, self._most_held = seconds, most_held
        self._held = 0

    async def read(self, receive: Receive) -> bytes:
        """The whole body of an ASGI request.

        Raises:
            Problem: It is too large, arrives too slowly, its client has gone, or there are too many large ones.
        """
        parts: list[bytes] = []
        held = size = 0
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Problem("slow-request", "the client left before the body was complete")
                    part: bytes = message.get("body", b"")
                    more = message.get("more_body", False)
                    size += len(part)
                    if size > SMALL_BYTES:
                        if (refusal := self._refusal(size, size - held)) is not None:
                            break
                        self._held += size - held
                        held = size
                    parts.append(part)
                    if not more:
                        held = 0
                        return part if len(parts) == 1 else b"".join(parts)
        except TimeoutError as error:
            said = f"the body did not arrive within {self._seconds:g} s"
            raise Problem("slow-request", said, headers=_CLOSE) from error
        finally:
            self._held -= held
        parts.clear()
        if more and not await self.drain(receive):
            refusal.headers |= _CLOSE
        raise refusal

    def done(self, body: bytes) -> None:
        """The request of this body is answered."""
        if len(body) > SMALL_BYTES:
            self._held -= len(body)

    async def drain(self, receive: Receive) -> bool:
        """Drop what is left of a body, up to `DRAIN_BYTES` and for no longer than a body may take.

        Returns:
            Whether it was read to its end: only then may the connection be used again.
        """
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                while size <= DRAIN_BYTES:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return False
                    size += len(message.get("body", b""))
                    if not message.get("more_body"):
                        return True
        return False

    def _refusal(self, size: int, new: int) -> Problem | None:
        """Why a body that has reached this size, with so many new bytes, is not read on."""
        if size > MOST_BYTES:
            return _too_large()
        if self._held + new > self._most_held:
            said = f"the large requests under way fill the {self._most_held} bytes set aside for them; try again in 1 s"
            return Problem("overloaded", said, headers={"Retry-After": "1"})
        return None


_CLOSE = {"Connection": "close"}
"""What is left of a body unread would be taken for the next request."""


def _too_large() -> Problem:
    return Problem("too-large", f"a body has at most {MOST_BYTES} bytes")


def check_length(header: bytes | None) -> None:
    """Refuse by the `Content-Length` header, before a byte of the body is read.

    Raises:
        Problem: It is too large, or no length at all.
    """
    if header is None:
        return
    if not header.isdigit():
        raise Problem("malformed-http", "the Content-Length header is no number")
    if int(header) > MOST_BYTES:
        raise _too_large()


def parse_object(body: bytes, known: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object with the known keys and no others. `NaN`, `Infinity` and 1e999 are no JSON.

    Raises:
        Problem: It is something else; says what.
    """
    if not body:
        raise Problem("malformed-json", f"the body is empty; it must be a JSON object with: {', '.join(known)}")
    # Brackets in texts count too: telling them apart would cost more than the few requests it would save.
    if len(body) > MOST_CONTAINERS and body.count(b"[") + body.count(b"{") > MOST_CONTAINERS:
        raise Problem("too-large", f"the body has more than {MOST_CONTAINERS} lists and objects")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem("malformed-json", str(error)) from error
    if not isinstance(value, dict):
        raise Problem("invalid-request", f"the body must be a JSON object with: {', '.join(known)}")
    for key in value:
        if key not in known:
            raise Problem(
                "invalid-request", f"is not known here; an object may have: {', '.join(known)}", field=key[:80]
            )
    return value


def list_of(value: dict[str, Any], key: str, what: str, most: int = MOST_ROWS) -> list[Any]:
    """The non-empty list under a key.

    Raises:
        Problem: It is absent, no list, empty or too long.
    """
    if key not in value:
        raise Problem("invalid-request", f"is absent; it must be a list of {what}", field=key)
    items = value[key]
    if not isinstance(items, list):
        raise Problem("invalid-request", f"must be a list of {what}", field=key)
    if not items:
        raise Problem("invalid-request", f"is empty; send at least one of {what}", field=key)
    if len(items) > most:
        raise Problem("too-many-rows", f"has {len(items)} items; at most {most} are taken", field=key)
    return items

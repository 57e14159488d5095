"""Request bodies: read within limits of size and time, and parsed strictly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from tuneloop.serving.problems import Problem

MOST_BYTES = 16 << 20
MOST_ROWS = 1024
SECONDS = 20.0
"""Within which a body must arrive."""


async def read_body(receive: Callable[[], Awaitable[Any]]) -> bytes:
    """The whole body of an ASGI request.

    Raises:
        Problem: It is too large, arrives too slowly, or its client has gone.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem("slow-request", "the client left before the body was complete")
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > MOST_BYTES:
                    raise _too_large()
                parts.append(part)
                if not message.get("more_body"):
                    return part if len(parts) == 1 else b"".join(parts)
    except TimeoutError as error:
        raise Problem("slow-request", f"the body did not arrive within {SECONDS:.0f} s") from error


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
        raise Problem("malformed-json", "the Content-Length header is no number")
    if int(header) > MOST_BYTES:
        raise _too_large()


def parse_object(body: bytes, known: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object with the known keys and no others. `NaN`, `Infinity` and 1e999 are no JSON.

    Raises:
        Problem: It is something else; says what.
    """
    if not body:
        raise Problem("malformed-json", f"the body is empty; it must be a JSON object with: {', '.join(known)}")
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


def list_of(value: dict[str, Any], key: str, what: str) -> list[Any]:
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
    if len(items) > MOST_ROWS:
        raise Problem("too-many-rows", f"has {len(items)} items; at most {MOST_ROWS} are taken", field=key)
    return items

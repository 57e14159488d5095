from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from tuneloop.serving.doors.body import (
    DRAIN_BYTES,
    MOST_BYTES,
    MOST_CONTAINERS,
    SMALL_BYTES,
    BodyReader,
    Receive,
    check_length,
    parse_object,
)
from tuneloop.serving.doors.problems import Problem

LARGE = b"x" * (SMALL_BYTES + 1)
LEFT = {"type": "http.disconnect"}


def sending(*parts: bytes, more: bool = False, left: bool = False) -> Receive:
    """What an ASGI server hands over: these parts, then the end, silence (`more`), or a client that leaves."""
    last = len(parts) - 1
    messages: list[Any] = [
        {"type": "http.request", "body": part, "more_body": more or left or i < last} for i, part in enumerate(parts)
    ]
    if left:
        messages.append(LEFT)

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        return None

    return receive


def endless(part: bytes, counted: list[int]) -> Receive:
    async def receive() -> Any:
        counted.append(len(part))
        return {"type": "http.request", "body": part, "more_body": True}

    return receive


def refused(reader: BodyReader, receive: Receive) -> Problem:
    with pytest.raises(Problem) as caught:
        asyncio.run(reader.read(receive))
    return caught.value


@pytest.mark.parametrize("parts", [[b""], [b"a"], [b"a", b"", b"b"], [LARGE, LARGE], [b"x" * MOST_BYTES]])
def test_a_body_is_the_sum_of_its_parts_and_its_memory_is_given_back(parts: Iterable[bytes]) -> None:
    reader = BodyReader(5, MOST_BYTES)
    for _ in range(3):
        body = asyncio.run(reader.read(sending(*parts)))
        assert body == b"".join(parts)
        reader.done(body)


def test_large_bodies_share_what_is_set_aside_and_small_ones_do_not() -> None:
    reader = BodyReader(5, 3 * len(LARGE))
    held = [asyncio.run(reader.read(sending(LARGE))) for _ in range(3)]
    problem = refused(reader, sending(LARGE))
    assert (problem.kind, problem.headers) == ("overloaded", {"Retry-After": "1"})
    assert asyncio.run(reader.read(sending(b"small"))) == b"small"
    reader.done(held.pop())
    assert asyncio.run(reader.read(sending(LARGE[:9], LARGE[9:]))) == LARGE


@pytest.mark.parametrize("left", [False, True])
def test_a_body_that_does_not_end_is_refused_and_its_memory_given_back(left: bool) -> None:
    reader = BodyReader(0.01, 2 * len(LARGE))
    for _ in range(3):
        assert refused(reader, sending(LARGE, more=not left, left=left)).kind == "slow-request"
    assert asyncio.run(reader.read(sending(LARGE, LARGE))) == 2 * LARGE


def test_a_body_too_large_is_dropped_to_its_end_so_that_the_connection_can_be_used_again() -> None:
    reader = BodyReader(5, 2 * MOST_BYTES)
    half = b"x" * (MOST_BYTES // 2 + 1)
    for parts in ([half] * 2, [half] * 6, [b"x" * (MOST_BYTES + 1)]):
        problem = refused(reader, sending(*parts))
        assert (problem.kind, problem.headers) == ("too-large", {})
    assert asyncio.run(reader.read(sending(half))) == half


def test_a_body_without_end_is_dropped_no_further_than_the_limit() -> None:
    counted: list[int] = []
    problem = refused(BodyReader(30, 2 * MOST_BYTES), endless(b"x" * (1 << 20), counted))
    assert (problem.kind, problem.headers) == ("too-large", {"Connection": "close"})
    assert DRAIN_BYTES < sum(counted) <= DRAIN_BYTES + MOST_BYTES + (2 << 20)


@pytest.mark.parametrize("empty", [b"[]", b"{}", b'[{"a":[]}]'])
def test_a_body_of_countless_lists_is_refused_before_it_is_parsed(empty: bytes) -> None:
    with pytest.raises(Problem) as caught:
        parse_object(b'{"rows":[' + b",".join([empty] * MOST_CONTAINERS) + b"]}", ("rows",))
    assert caught.value.kind == "too-large"
    few = b'{"rows":[' + b",".join([empty] * 1000) + b"]}"
    assert len(parse_object(few, ("rows",))["rows"]) == 1000


@pytest.mark.parametrize(
    ("given", "kind"), [(b"", "malformed-http"), (b"-1", "malformed-http"), (b"9" * 30, "too-large")]
)
def test_a_length_is_refused_before_the_body_is_read(given: bytes, kind: str) -> None:
    with pytest.raises(Problem) as caught:
        check_length(given)
    assert caught.value.kind == kind

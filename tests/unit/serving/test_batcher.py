from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api import Arrays
from tuneloop.serving.batcher import Batcher, InlineBatcher, ThreadBatcher, choose_batcher
from tuneloop.serving.errors import DeadlinePassedError, OverloadedError


def double(inputs: Arrays) -> Arrays:
    x = inputs["x"]
    if (x < 0).any():
        raise ValueError("negative")
    return {"y": x.sum(axis=1) * 2}


def rows(count: int, length: int, first: int) -> Arrays:
    x = np.zeros((count, length), dtype=np.int64)
    x[:, 0] = np.arange(first, first + count)
    return {"x": x}


requests = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.booleans(), st.integers(0, 3)), min_size=1, max_size=25
)


@pytest.mark.parametrize("kind", ["inline", "threads"])
@given(requests=requests, max_batch=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_every_row_gets_its_own_answer_and_errors_stay_with_their_rows(
    kind: str, requests: list[tuple[int, int, bool, int]], max_batch: int
) -> None:
    async def one(batcher: Batcher, request: tuple[int, int, bool, int], first: int) -> None:
        count, length, bad, turns = request
        for _ in range(turns):
            await asyncio.sleep(0)
        inputs = rows(count, length, first)
        if bad:
            inputs["x"][0, 0] = -1
            with pytest.raises(ValueError, match="negative"):
                await batcher.submit(inputs)
        else:
            found = await batcher.submit(inputs)
            assert found["y"].tolist() == [2 * (first + i) for i in range(count)]

    async def everything() -> None:
        batcher: Batcher = (
            InlineBatcher(double, max_batch=max_batch)
            if kind == "inline"
            else ThreadBatcher(double, threads=2, max_batch=max_batch)
        )
        await asyncio.gather(*(one(batcher, request, 1000 * i) for i, request in enumerate(requests)))
        await batcher.close()

    asyncio.run(everything())


def test_rows_of_equal_shape_are_joined_when_a_thread_becomes_free() -> None:
    gate, sizes = threading.Event(), []

    def run(inputs: Arrays) -> Arrays:
        sizes.append(inputs["x"].shape)
        assert gate.wait(10)
        return double(inputs)

    async def everything() -> None:
        batcher = ThreadBatcher(run, threads=1, max_batch=4)
        futures = [batcher.submit(rows(1, length, 0)) for length in (2, 3, 2, 3, 2, 2, 2, 2)]
        gate.set()
        await asyncio.gather(*futures)
        await batcher.close()

    asyncio.run(everything())
    # The first went alone; then the oldest waiting row's shape each time, at most four rows.
    assert sizes == [(1, 2), (2, 3), (4, 2), (1, 2)]


def test_long_rows_share_a_call_with_fewer_others() -> None:
    gate, sizes = threading.Event(), []

    def run(inputs: Arrays) -> Arrays:
        sizes.append(inputs["x"].shape)
        assert gate.wait(10)
        return double(inputs)

    async def everything() -> None:
        batcher = ThreadBatcher(run, threads=1, max_batch=4, max_values=6)
        assert [batcher.rows_a_call(rows(2, length, 0)) for length in (1, 2, 3, 6, 99)] == [4, 3, 2, 1, 1]
        futures = [batcher.submit(rows(1, length, 0)) for length in (1, 3, 3, 3, 1, 1, 1, 1, 1, 99, 99)]
        gate.set()
        await asyncio.gather(*futures)
        await batcher.close()

    asyncio.run(everything())
    assert sizes == [(1, 1), (2, 3), (1, 3), (4, 1), (1, 1), (1, 99), (1, 99)]


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    gate = threading.Event()

    def run(inputs: Arrays) -> Arrays:
        assert gate.wait(10)
        return double(inputs)

    async def everything() -> None:
        batcher = ThreadBatcher(run, threads=1, max_batch=2, max_queue=4)
        futures = [batcher.submit(rows(1, 1, i)) for i in range(5)]
        with pytest.raises(OverloadedError, match="4 rows are waiting") as caught:
            batcher.submit(rows(1, 1, 0))
        assert caught.value.retry_after is not None
        assert caught.value.retry_after >= 1
        gate.set()
        assert [int((await future)["y"][0]) for future in futures] == [0, 2, 4, 6, 8]
        await batcher.close()

    asyncio.run(everything())


def test_a_request_larger_than_the_queue_is_taken_by_an_empty_one() -> None:
    async def everything() -> None:
        batcher = ThreadBatcher(double, threads=1, max_batch=2, max_queue=4)
        assert len((await batcher.submit(rows(9, 1, 0)))["y"]) == 9

    asyncio.run(everything())


def test_work_past_its_deadline_is_not_begun() -> None:
    gate, begun = threading.Event(), []

    def run(inputs: Arrays) -> Arrays:
        begun.append(int(inputs["x"][0, 0]))
        assert gate.wait(10)
        return double(inputs)

    async def everything() -> None:
        batcher = ThreadBatcher(run, threads=1, max_batch=1)
        first = batcher.submit(rows(1, 1, 1))
        deadline = time.monotonic() + 0.01
        late = batcher.submit(rows(1, 1, 2), deadline)
        while time.monotonic() <= deadline:
            await asyncio.sleep(0.005)
        gate.set()
        await first
        with pytest.raises(DeadlinePassedError):
            await late
        await batcher.close()

    asyncio.run(everything())
    assert begun == [1]


def test_a_wait_that_would_outlast_the_deadline_is_refused_at_once() -> None:
    gate = threading.Event()

    def run(inputs: Arrays) -> Arrays:
        if not gate.is_set():
            threading.Event().wait(0.05)
        return double(inputs)

    async def everything() -> None:
        batcher = ThreadBatcher(run, threads=1, max_batch=1)
        await batcher.submit(rows(1, 1, 0))
        futures = [batcher.submit(rows(1, 1, 0)) for _ in range(5)]
        with pytest.raises(OverloadedError, match="of work"):
            batcher.submit(rows(1, 1, 0), time.monotonic() + 0.05)
        gate.set()
        await asyncio.gather(*futures)
        await batcher.close()

    asyncio.run(everything())


def test_what_nobody_waits_for_is_not_computed() -> None:
    gate, begun = threading.Event(), []

    def run(inputs: Arrays) -> Arrays:
        begun.append(int(inputs["x"][0, 0]))
        assert gate.wait(10)
        return double(inputs)

    async def everything() -> None:
        batcher = ThreadBatcher(run, threads=1, max_batch=1)
        first, gone = batcher.submit(rows(1, 1, 1)), batcher.submit(rows(1, 1, 2))
        gone.cancel()
        gate.set()
        await first
        await batcher.close()

    asyncio.run(everything())
    assert begun == [1]


def test_the_cost_of_a_row_chooses() -> None:
    assert isinstance(choose_batcher(double, 0.0001, threads=2, max_batch=8), InlineBatcher)
    assert isinstance(choose_batcher(double, 0.01, threads=2, max_batch=8), ThreadBatcher)

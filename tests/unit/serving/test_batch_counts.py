"""What a batcher does, counted."""

from __future__ import annotations

import asyncio
import threading

import numpy as np

from tuneloop.api import Arrays
from tuneloop.monitoring.metrics import Metrics, metrics
from tuneloop.serving.batch_counts import BatchCounts
from tuneloop.serving.batcher import InlineBatcher, ThreadBatcher

MODEL = "counted"


def found(version: str) -> tuple[float, float, float]:
    made: Metrics = metrics()
    one = (MODEL, version)
    collectors = (made.batches, made.batch_rows, made.queue_rows)
    return tuple(  # type: ignore[return-value]
        next(sample.value for sample in collector.labels(*one).collect()[0].samples if sample.name.endswith(end))
        for collector, end in zip(collectors, ("_total", "_total", "_rows"), strict=True)
    )


def inputs(rows: int) -> Arrays:
    return {"x": np.zeros((rows, 2), np.float32)}


def test_calls_and_rows_are_counted_when_flushed() -> None:
    counts = BatchCounts(metrics(), MODEL, "1")
    run = counts.counting(lambda arrays: {"y": arrays["x"]})
    assert run(inputs(3))["y"].shape == (3, 2)
    run(inputs(5))
    assert found("1") == (0, 0, 0)
    counts.flush()
    counts.flush()
    assert found("1") == (2, 8, 0)


def test_rows_that_wait_are_looked_at() -> None:
    counts, gate, busy = BatchCounts(metrics(), MODEL, "2"), threading.Event(), threading.Event()

    def slow(arrays: Arrays) -> Arrays:
        busy.set()
        gate.wait(30)
        return arrays

    async def work() -> None:
        batcher = ThreadBatcher(counts.counting(slow), threads=1, max_batch=8)
        counts.look_at(batcher)
        waiting = [batcher.submit(inputs(rows)) for rows in (1, 2, 4)]
        await asyncio.to_thread(busy.wait, 30)
        counts.flush()
        assert found("2") == (1, 1, 6)
        gate.set()
        await asyncio.gather(*waiting)
        await batcher.close()

    asyncio.run(work())
    counts.end()
    # The two that waited were joined.
    assert found("2") == (2, 7, 0)


def test_an_inline_batcher_has_a_queue_within_one_turn() -> None:
    async def work() -> tuple[int, int]:
        batcher = InlineBatcher(lambda arrays: arrays)
        jobs = [batcher.submit(inputs(rows)) for rows in (1, 2)]
        before = batcher.queued
        await asyncio.gather(*jobs)
        return before, batcher.queued

    assert asyncio.run(work()) == (3, 0)


def test_no_call_is_lost_between_threads() -> None:
    counts = BatchCounts(metrics(), MODEL, "3")
    run = counts.counting(lambda arrays: arrays)
    done = threading.Event()

    def flush() -> None:
        while not done.is_set():
            counts.flush()

    flushing = threading.Thread(target=flush)
    callers = [threading.Thread(target=lambda: [run(inputs(2)) for _ in range(5000)]) for _ in range(4)]
    for thread in (flushing, *callers):
        thread.start()
    for thread in callers:
        thread.join()
    done.set()
    flushing.join()
    counts.flush()
    assert found("3") == (20_000, 40_000, 0)

"""Batchers: they join the rows of several requests into one call of the model. No timers, no padding.

A tiny model runs inline in the event loop, where a hop to a thread would cost more than the model. Any other runs
in a few threads; whenever one is free it takes what is queued. Only rows of equal shape are joined.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np

from tuneloop.api import Arrays, row_count
from tuneloop.serving.errors import DeadlinePassedError, OverloadedError
from tuneloop.serving.predictor import value_count

Run: TypeAlias = Callable[[Arrays], Arrays]
Key: TypeAlias = tuple[tuple[str, str, tuple[int, ...]], ...]

INLINE_SECONDS = 0.001
"""Up to this cost of its longest row a model runs inline."""
MOST_QUEUED = 1024
"""Rows that may wait, at most, unless another number is given."""


class Job:
    """Rows of equal shape from one request, and the future of their outputs."""

    __slots__ = ("deadline", "future", "inputs", "key", "rows")

    def __init__(self, inputs: Arrays, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        self.inputs, self.deadline = inputs, deadline
        self.rows = row_count(inputs)
        self.key: Key = tuple((name, a.dtype.str, a.shape[1:]) for name, a in inputs.items())
        self.future: asyncio.Future[Arrays] = loop.create_future()

    def resolve(self, outputs: Arrays) -> None:
        """Hand over the outputs, unless the caller has gone."""
        if not self.future.done():
            self.future.set_result(outputs)

    def fail(self, error: BaseException) -> None:
        """Hand over an error, unless the caller has gone."""
        if not self.future.done():
            self.future.set_exception(error)


class Batcher(ABC):
    """Runs rows of many callers through `run`."""

    def __init__(self, run: Run, *, max_batch: int, max_values: float = math.inf) -> None:
        self._run, self._max_batch, self._max_values = run, max_batch, max_values

    def rows_a_call(self, inputs: Arrays) -> int:
        """How many rows like these one call takes, at least 1."""
        if self._max_values == math.inf:
            return self._max_batch
        values_a_row = value_count(inputs) / max(1, row_count(inputs))
        return max(1, min(self._max_batch, int(self._max_values / values_a_row)))

    @abstractmethod
    def submit(self, inputs: Arrays, deadline: float = math.inf) -> asyncio.Future[Arrays]:
        """Queue rows; must be called in the event loop.

        Args:
            inputs: Named tensors, first axis the rows; at most `rows_a_call` of them are worth one call.
            deadline: On the clock of `time.monotonic`; past it the work is not begun.

        Returns:
            The outputs of exactly these rows.

        Raises:
            OverloadedError: The queue is full.
        """

    @property
    def queued(self) -> int:
        """Rows that wait now. May be asked in any thread."""
        return 0

    @abstractmethod
    async def close(self) -> None:
        """Finish what is queued and release the threads. Nothing may be submitted afterwards."""


class InlineBatcher(Batcher):
    """Runs what arrived in one turn of the event loop, in the event loop."""

    def __init__(self, run: Run, *, max_batch: int = 256) -> None:
        super().__init__(run, max_batch=max_batch)
        self._queue: list[Job] = []

    def submit(self, inputs: Arrays, deadline: float = math.inf) -> asyncio.Future[Arrays]:
        """See `Batcher.submit`."""
        loop = asyncio.get_running_loop()
        job = Job(inputs, deadline, loop)
        if not self._queue:
            loop.call_soon(self._flush)
        self._queue.append(job)
        return job.future

    @property
    def queued(self) -> int:
        """See `Batcher.queued`."""
        return sum(job.rows for job in self._queue)

    def _flush(self) -> None:
        queue, self._queue = self._queue, []
        groups: dict[Key, list[Job]] = {}
        for job in queue:
            if _wanted(job):
                groups.setdefault(job.key, []).append(job)
        for jobs in groups.values():
            while jobs:
                batch, jobs = _head(jobs, self._max_batch)
                _settle(batch, _attempt(self._run, batch))

    async def close(self) -> None:
        """See `Batcher.close`."""
        while self._queue:
            await asyncio.sleep(0)


class ThreadBatcher(Batcher):
    """Runs rows in `threads` threads; a free thread takes the oldest row and those of its shape behind it."""

    def __init__(
        self,
        run: Run,
        *,
        threads: int = 1,
        max_batch: int = 32,
        max_values: float = math.inf,
        max_queue: int = MOST_QUEUED,
    ) -> None:
        """Start no thread yet; they start with the first work.

        Args:
            run: One call of the model; called from several threads at once.
            threads: How many calls run at the same time.
            max_batch: Rows in one call, at most.
            max_values: Values of all inputs in one call, at most; a single row is always taken.
            max_queue: Rows that may wait, at most.
        """
        super().__init__(run, max_batch=max_batch, max_values=max_values)
        self._threads, self._max_queue = threads, max_queue
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tuneloop-compute")
        self._free = threads
        self._queued = 0
        self._queues: dict[Key, deque[tuple[int, Job]]] = {}
        self._ticket = 0
        self._row_seconds = 0.0
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, inputs: Arrays, deadline: float = math.inf) -> asyncio.Future[Arrays]:
        """See `Batcher.submit`."""
        loop = asyncio.get_running_loop()
        job = Job(inputs, deadline, loop)
        self._admit(job)
        self._ticket += 1
        self._queues.setdefault(job.key, deque()).append((self._ticket, job))
        self._queued += job.rows
        self._idle.clear()
        self._pump(loop)
        return job.future

    @property
    def queued(self) -> int:
        """See `Batcher.queued`."""
        return self._queued

    def _admit(self, job: Job) -> None:
        wait = self._queued * self._row_seconds / self._threads
        retry = max(1, math.ceil(wait))
        # An empty queue takes a request of any size: else one larger than the queue could never be served.
        if self._queued and self._queued + job.rows > self._max_queue:
            raise OverloadedError(f"{self._queued} rows are waiting, at most {self._max_queue} may", retry)
        if time.monotonic() + wait > job.deadline:
            raise OverloadedError(f"{self._queued} rows are waiting, about {wait:.1f} s of work", retry)

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._free and self._queues:
            batch = [job for job in self._take() if _wanted(job)]
            if not batch:
                continue
            self._free -= 1
            begun = time.perf_counter()
            call = loop.run_in_executor(self._pool, _attempt, self._run, batch)
            call.add_done_callback(functools.partial(self._done, batch, begun, loop))
        if not self._queues and self._free == self._threads:
            self._idle.set()

    def _take(self) -> list[Job]:
        key = min(self._queues, key=lambda k: self._queues[k][0][0])
        queue = self._queues[key]
        batch = [queue.popleft()[1]]
        rows, most = batch[0].rows, self.rows_a_call(batch[0].inputs)
        while queue and rows + queue[0][1].rows <= most:
            batch.append(queue.popleft()[1])
            rows += batch[-1].rows
        if not queue:
            del self._queues[key]
        self._queued -= rows
        return batch

    def _done(
        self,
        batch: list[Job],
        begun: float,
        loop: asyncio.AbstractEventLoop,
        call: asyncio.Future[list[Arrays | Exception]],
    ) -> None:
        self._free += 1
        cost = (time.perf_counter() - begun) / sum(job.rows for job in batch)
        self._row_seconds = cost if not self._row_seconds else 0.9 * self._row_seconds + 0.1 * cost
        if call.cancelled():
            for job in batch:
                job.future.cancel()
        else:
            _settle(batch, call.result())
        self._pump(loop)

    async def close(self) -> None:
        """See `Batcher.close`."""
        await self._idle.wait()
        self._pool.shutdown(wait=False)


def choose_batcher(
    run: Run,
    row_seconds: float,
    *,
    threads: int,
    max_batch: int,
    max_values: float = math.inf,
    max_queue: int = MOST_QUEUED,
) -> Batcher:
    """The batcher that fits what the longest row costs a model, in seconds."""
    if row_seconds < INLINE_SECONDS:
        return InlineBatcher(run, max_batch=max_batch)
    return ThreadBatcher(run, threads=threads, max_batch=max_batch, max_values=max_values, max_queue=max_queue)


def _wanted(job: Job) -> bool:
    if job.future.done():
        return False
    if time.monotonic() > job.deadline:
        job.fail(DeadlinePassedError("the request waited past its deadline; nothing was computed"))
        return False
    return True


def _head(jobs: list[Job], limit: int) -> tuple[list[Job], list[Job]]:
    rows = 0
    for position, job in enumerate(jobs):
        if position and rows + job.rows > limit:
            return jobs[:position], jobs[position:]
        rows += job.rows
    return jobs, []


def _attempt(run: Run, batch: Sequence[Job]) -> list[Arrays | Exception]:
    """One call for all; where it fails, one for each, so that an error stays with the rows that cause it."""
    if len(batch) == 1:
        return [_one(run, batch[0].inputs)]
    try:
        names = batch[0].inputs
        outputs = run({name: np.concatenate([job.inputs[name] for job in batch]) for name in names})
    except Exception:
        return [_one(run, job.inputs) for job in batch]
    parts: list[Arrays | Exception] = []
    start = 0
    for job in batch:
        parts.append({name: array[start : start + job.rows] for name, array in outputs.items()})
        start += job.rows
    return parts


def _one(run: Run, inputs: Arrays) -> Arrays | Exception:
    try:
        return run(inputs)
    except Exception as error:
        return error


def _settle(batch: Sequence[Job], results: Sequence[Arrays | Exception]) -> None:
    for job, result in zip(batch, results, strict=True):
        if isinstance(result, Exception):
            job.fail(result)
        else:
            job.resolve(result)

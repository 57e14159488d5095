"""The engine of a worker: the live version, its batcher, and the change from one version to the next."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tuneloop.api import Answer, Arrays, Encoded, RequestError, Row, ServingError, SignalBatch, row_count, scatter
from tuneloop.monitoring.feedback import FeedbackResult
from tuneloop.serving.batcher import Batcher, choose_batcher
from tuneloop.serving.errors import NotReadyError, UnavailableError
from tuneloop.serving.loader import Loaded
from tuneloop.serving.watch import VersionWatch, WorkerWatch

logger = logging.getLogger(__name__)

T = TypeVar("T")

CHUNK_ROWS = 32
"""Rows of one call, at most: a large request must not hold up its neighbours."""
DEADLINE_SECONDS = 30.0
LARGE_REQUEST_BYTES = 16 << 10
"""Requests above this size are checked and encoded in a thread, so that the event loop goes on."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One request's answers, the ids under which their labels may come back, and the version that gave them."""

    version: str
    ids: list[str]
    answers: list[Answer]
    outputs: Arrays


class Live:
    """A version that takes requests. It is dropped once the last of its requests is answered."""

    def __init__(self, loaded: Loaded, watch: VersionWatch, threads: int) -> None:
        self.loaded, self.watch = loaded, watch
        self.chunk = CHUNK_ROWS if loaded.joins else 1
        self.batcher: Batcher = choose_batcher(
            loaded.predictor.run, loaded.row_seconds, threads=threads, max_batch=self.chunk
        )
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> Live:
        self._requests += 1
        self._idle.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._requests -= 1
        if not self._requests:
            self._idle.set()

    async def retire(self) -> None:
        """Wait for the last request, then release threads and counters."""
        await self._idle.wait()
        await self.batcher.close()
        await asyncio.to_thread(self.watch.end)


class Engine:
    """Answers rows with whatever version is live.

    Args:
        model: Name of the model.
        threads: Threads that compute at the same time, for a model too slow to run inline.
        store_url: SQLAlchemy URL of the prediction store; None: nothing is stored.
    """

    def __init__(self, model: str, *, threads: int = 1, store_url: str | None = None) -> None:
        self.model = model
        self._threads = threads
        self.watch = WorkerWatch(model, store_url)
        self._live: Live | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether a version is live: it has answered its golden examples."""
        return self._live is not None

    @property
    def live(self) -> Loaded:
        """The version that answers now.

        Raises:
            NotReadyError: None does yet, or the server is stopping.
        """
        return self._current().loaded

    async def start(self, loaded: Loaded) -> None:
        """Begin to answer with a first version."""
        watch = await asyncio.to_thread(self.watch.start, loaded)
        self._live = Live(loaded, watch, self._threads)

    async def swap(self, loaded: Loaded) -> None:
        """Answer with another version from now on; requests under way end on the version they began with."""
        watch = await asyncio.to_thread(self.watch.prepare, loaded)
        old, self._live = self._current(), Live(loaded, watch, self._threads)
        self.watch.swap(loaded, watch)
        task = asyncio.create_task(self._retire(old))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def stop(self) -> None:
        """Finish the requests under way, and write and count what is left."""
        live, self._live = self._live, None
        await asyncio.gather(*self._retiring)
        if live is not None:
            await live.retire()
            await asyncio.to_thread(self.watch.stop)

    async def predict(self, rows: Sequence[Row], size: int = 0) -> Answered:
        """Check, encode, run and answer rows; count and store them.

        Args:
            rows: As they came from the client.
            size: Bytes of the request; a large one is encoded in a thread.

        Raises:
            RequestError: A row is refused.
            OverloadedError: There is too much to do.
            DeadlinePassedError: It waited too long.
        """
        begun = time.perf_counter()
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._current() as live:
            checked, encoded = await _maybe_in_thread(
                size > LARGE_REQUEST_BYTES, functools.partial(_encode, live.loaded, rows)
            )
            outputs = await self._compute(live, encoded, len(checked), deadline)
            answers = live.loaded.predictor.task.answers(outputs)
            ids = [os.urandom(12).hex() for _ in answers]
            batch = SignalBatch(checked, encoded, outputs, answers)
            live.watch.observe(batch)
            self.watch.store(live.loaded.version, ids, batch)
            live.watch.answered(len(answers), time.perf_counter() - begun)
            return Answered(live.loaded.version, ids, answers, outputs)

    async def infer(self, inputs: Arrays) -> tuple[str, Arrays]:
        """Run raw model inputs, whose names, types and shapes were checked; counted, but neither watched nor stored.

        Returns:
            The version that answered, and the model's outputs.
        """
        begun = time.perf_counter()
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._current() as live:
            rows = row_count(inputs)
            try:
                outputs = await self._compute(live, [Encoded(tuple(range(rows)), inputs)], rows, deadline)
            except UnavailableError:
                raise
            except Exception as error:
                # Names, types and shapes were right: it is the values the graph cannot take, such as unknown tokens.
                logger.info("raw inputs refused by the model: %s", error)
                raise RequestError("hold values that the model cannot take", field="inputs") from error
            live.watch.answered(rows, time.perf_counter() - begun)
            return live.loaded.version, outputs

    async def label(self, items: Sequence[tuple[str, Any]]) -> list[FeedbackResult]:
        """Take labels by prediction id.

        Raises:
            NoStoreError: There is none.
            StoreUnreachableError: Its database does not answer.
        """
        return await asyncio.to_thread(self.watch.label, items)

    async def _retire(self, old: Live) -> None:
        await old.retire()
        live = self._live
        # Back and forth in quick succession: the old one's end has cleared gauges that both share.
        if live is not None and live.loaded.version == old.loaded.version:
            live.watch.begin()

    def _current(self) -> Live:
        if self._live is None:
            raise NotReadyError("no version is live: the server is starting or stopping", 1)
        return self._live

    async def _compute(self, live: Live, encoded: Sequence[Encoded], rows: int, deadline: float) -> Arrays:
        parts: list[tuple[Sequence[int], Arrays]] = [
            (group.rows[i : i + live.chunk], {n: a[i : i + live.chunk] for n, a in group.inputs.items()})
            for group in encoded
            for i in range(0, len(group.rows), live.chunk)
        ]
        futures: list[asyncio.Future[Arrays]] = []
        try:
            for _, inputs in parts:
                futures.append(live.batcher.submit(inputs, deadline))
            done = [await future for future in futures]
        except BaseException:
            # What was queued for a request that fails, or whose client has gone, need not be computed.
            for future in futures:
                if not future.cancel() and not future.cancelled():
                    future.exception()
            raise
        if len(done) == 1 and len(parts[0][0]) == rows and list(parts[0][0]) == list(range(rows)):
            outputs = done[0]
        else:
            outputs = scatter([(part[0], one) for part, one in zip(parts, done, strict=True)], rows)
        if not all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f"):
            raise ServingError(f"version {live.loaded.version} gave a number that is not finite")
        return outputs


def _encode(loaded: Loaded, rows: Sequence[Row]) -> tuple[list[Row], list[Encoded]]:
    preprocessor = loaded.predictor.preprocessor
    checked = preprocessor.check(rows)
    return checked, preprocessor.encode(checked)


async def _maybe_in_thread(heavy: bool, call: functools.partial[T]) -> T:
    return await asyncio.to_thread(call) if heavy else call()

"""A version that takes requests: its batcher, its generator, and the requests it still has to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tuneloop.api import Arrays, Encoded, ServingError, scatter
from tuneloop.serving.batcher import Batcher, choose_batcher
from tuneloop.serving.doors.tensors import all_finite
from tuneloop.serving.generating.counts import GenerationCounts
from tuneloop.serving.generating.generator import Generator
from tuneloop.serving.generating.writing import WritingPredictor
from tuneloop.serving.loader import Loaded
from tuneloop.serving.watch import VersionWatch

CHUNK_ROWS = 32
"""Rows of one call, at most: a large request must not hold up its neighbours."""
CALL_SECONDS = 0.1
"""One call, at most, unless a single row takes longer: by then more rows gain no throughput, and others wait."""


class Live:
    """A version that takes requests. It is dropped once the last of its requests is answered."""

    def __init__(self, loaded: Loaded, watch: VersionWatch, threads: int, queue_rows: int) -> None:
        self.loaded, self.watch = loaded, watch
        run = watch.batches.counting(loaded.predictor.run)
        self.batcher: Batcher = choose_batcher(
            run,
            loaded.row_seconds,
            threads=threads,
            max_batch=CHUNK_ROWS if loaded.joins else 1,
            max_values=CALL_SECONDS / loaded.value_seconds,
            max_queue=queue_rows,
        )
        watch.batches.look_at(self.batcher)
        self.generator = _generator(loaded, threads, queue_rows)
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

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._requests > 0

    async def retire(self) -> None:
        """Wait for the last request, then release threads and counters."""
        await self._idle.wait()
        await self.batcher.close()
        if self.generator is not None:
            await self.generator.close()
        await asyncio.to_thread(self.watch.end)

    async def compute(self, encoded: Sequence[Encoded], rows: int, deadline: float) -> Arrays:
        """The outputs of all rows, in order.

        Args:
            encoded: The rows in groups of one shape.
            rows: How many they are.
            deadline: On the monotonic clock; past it no call is begun.

        Raises:
            ServingError: An output is not finite.
            OverloadedError: There is too much to do.
            DeadlinePassedError: It waited too long.
        """
        if len(encoded) == 1 and rows <= self.batcher.rows_a_call(encoded[0].inputs) and _in_order(encoded[0], rows):
            outputs = await self.batcher.submit(encoded[0].inputs, deadline)
        else:
            outputs = await self._compute_parts(encoded, rows, deadline)
        if not all(map(all_finite, outputs.values())):
            raise ServingError(f"version {self.loaded.version} gave a number that is not finite")
        return outputs

    async def _compute_parts(self, encoded: Sequence[Encoded], rows: int, deadline: float) -> Arrays:
        parts: list[tuple[Sequence[int], Arrays]] = [
            (group.rows[i : i + step], {name: array[i : i + step] for name, array in group.inputs.items()})
            for group in encoded
            for step in (self.batcher.rows_a_call(group.inputs),)
            for i in range(0, len(group.rows), step)
        ]
        futures: list[asyncio.Future[Arrays]] = []
        try:
            for _, inputs in parts:
                futures.append(self.batcher.submit(inputs, deadline))
            done = [await future for future in futures]
        except BaseException:
            # What was queued for a request that fails, or whose client has gone, need not be computed.
            for future in futures:
                if not future.cancel() and not future.cancelled():
                    future.exception()
            raise
        return scatter([(part[0], one) for part, one in zip(parts, done, strict=True)], rows)


def _in_order(encoded: Encoded, rows: int) -> bool:
    return encoded.rows == tuple(range(rows))


def _generator(loaded: Loaded, threads: int, most_waiting: int) -> Generator | None:
    """What generates, where a version does."""
    if not isinstance(loaded.predictor, WritingPredictor):
        return None
    counts = GenerationCounts(loaded.artifact.manifest.model, loaded.version)
    return Generator(loaded.predictor, counts, threads=threads, most_waiting=most_waiting)

"""The engine of a worker: answers with the live version, and changes from one version to the next."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tuneloop.api import Answer, Arrays, Encoded, RequestError, Row, SignalBatch, row_count
from tuneloop.monitoring.feedback import FeedbackResult
from tuneloop.serving.doors.body import BodyReader
from tuneloop.serving.errors import NotReadyError, UnavailableError
from tuneloop.serving.generating.turns import Listener
from tuneloop.serving.ids import new_ids
from tuneloop.serving.limits import DEFAULT_LIMITS, Limits
from tuneloop.serving.live import Live
from tuneloop.serving.loader import Loaded
from tuneloop.serving.storing import StoreSettings
from tuneloop.serving.watch import WorkerWatch
from tuneloop.serving.wishes import NO_WISHES, Wishes

if TYPE_CHECKING:
    from tuneloop.serving.versions.challenger import Challenger

logger = logging.getLogger(__name__)

T = TypeVar("T")

NO_STORE = StoreSettings()
STORED_SECONDS = 5.0
"""For an answer to be stored, where its sender waits for that."""
LARGE_REQUEST_BYTES = 16 << 10
"""Requests above this size are checked and encoded in a thread, so that the event loop goes on."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One request's answers, the ids under which their labels may come back, and the version that gave them.

    `receipt` becomes whether they are stored; None where nobody waits for that, or there is no store.
    """

    version: str
    ids: list[str]
    answers: list[Answer]
    outputs: Arrays
    receipt: Future[bool] | None = None


class Engine:
    """Answers rows with whatever version is live.

    Args:
        model: Name of the model.
        threads: Threads that compute at the same time, for a model too slow to run inline.
        store: Where answers are stored, and what of them.
        limits: What clients may ask of it.
    """

    def __init__(
        self, model: str, *, threads: int = 1, store: StoreSettings = NO_STORE, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.model = model
        self.bodies = BodyReader(limits.body_seconds, limits.held_bytes)
        self.limits = limits
        self.threads = threads
        self.watch = WorkerWatch(model, store)
        self._live: Live | None = None
        self._challenger: Challenger | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether a version is live: it has answered its golden examples."""
        return self._live is not None

    @property
    def busy(self) -> bool:
        """Whether the live version has a request under way."""
        return self._live is not None and self._live.busy

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
        self._live = Live(loaded, watch, self.threads, self.limits.queue_rows)

    async def swap(self, loaded: Loaded) -> None:
        """Answer with another version from now on; requests under way end on the version they began with."""
        watch = await asyncio.to_thread(self.watch.prepare, loaded)
        old, self._live = self._current(), Live(loaded, watch, self.threads, self.limits.queue_rows)
        self.watch.swap(loaded, watch)
        task = asyncio.create_task(self._retire(old))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def challenge(self, challenger: Challenger | None) -> None:
        """Try another challenger from now on, or none; the old one ends once its last request is answered."""
        old, self._challenger = self._challenger, challenger
        self.watch.challenge(None if challenger is None else challenger.live.watch)
        if old is not None:
            task = asyncio.create_task(old.retire())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    @property
    def challenger(self) -> Challenger | None:
        """The version that is tried beside the live one."""
        return self._challenger

    async def stop(self) -> None:
        """Finish the requests under way, and write and count what is left."""
        await self.challenge(None)
        live, self._live = self._live, None
        await asyncio.gather(*self._retiring)
        if live is not None:
            await live.retire()
            await asyncio.to_thread(self.watch.stop)

    async def predict(
        self, rows: Sequence[Row], size: int = 0, key: str | None = None, wishes: Wishes = NO_WISHES
    ) -> Answered:
        """Answer rows with the live version, or with the challenger where it is its turn; count and store them.

        Args:
            rows: As they came from the client.
            size: Bytes of the request; a large one is encoded in a thread.
            key: Requests with equal keys are answered by the same version.
            wishes: What the client asks for beside; `stored` tells what became of them.

        Raises:
            RequestError: A row is refused.
            OverloadedError: There is too much to do.
            DeadlinePassedError: It waited too long.
        """
        challenger = self._challenger
        if challenger is None:
            return await self.champion(rows, size, wishes)
        return await challenger.predict(rows, size, key, wishes)

    async def champion(self, rows: Sequence[Row], size: int = 0, wishes: Wishes = NO_WISHES) -> Answered:
        """As `predict`, by the live version whatever challenger there is."""
        return await self.answer(self._current(), rows, size, self.limits.deadline_seconds, wishes)

    async def stream(
        self, rows: Sequence[Row], size: int, wishes: Wishes, listen: Listener, ids: Sequence[str]
    ) -> Answered:
        """As `champion`, for an only row whose text is told piece by piece while it is generated.

        Args:
            rows: The row.
            size: Bytes of the request.
            wishes: What the client asks for beside.
            listen: Told each piece.
            ids: The id of the prediction, which the client is told before there is an answer; see `new_ids`.
        """
        seconds = self.limits.deadline_seconds
        return await self.answer(self._current(), rows, size, seconds, wishes, listen, ids)

    async def stored(self, answered: Answered, wishes: Wishes) -> bool | None:
        """Wait until an answer is stored, where its sender wished for that.

        Returns:
            True: it is committed, and survives the end of this process. False: perhaps not. None: nobody asked.
        """
        if not wishes.durable:
            return None
        if answered.receipt is None:
            return False
        try:
            async with asyncio.timeout(STORED_SECONDS):
                return await asyncio.wrap_future(answered.receipt)
        except TimeoutError:
            return False

    async def answer(
        self,
        version: Live,
        rows: Sequence[Row],
        size: int,
        seconds: float,
        wishes: Wishes = NO_WISHES,
        listen: Listener | None = None,
        ids: Sequence[str] = (),
    ) -> Answered:
        """Check, encode, run and answer rows with one version; count and store them.

        Args:
            version: Answers.
            rows: As they came from the client.
            size: Bytes of the request.
            seconds: Past these no work is begun.
            wishes: What the client asks for beside.
            listen: Told each piece of a text that is generated.
            ids: Of the predictions; none: new ones.
        """
        begun = time.perf_counter()
        with version as live:
            batch = await self.work(live, rows, size, seconds, wishes, listen)
            answers = list(batch.answers)
            ids = list(ids) or new_ids(len(answers))
            live.watch.observe(batch)
            receipt = self.watch.store(live.loaded.version, ids, batch, wishes)
            live.watch.answered(len(answers), time.perf_counter() - begun)
            return Answered(live.loaded.version, ids, answers, batch.outputs, receipt)

    async def work(
        self,
        live: Live,
        rows: Sequence[Row],
        size: int,
        seconds: float,
        wishes: Wishes = NO_WISHES,
        listen: Listener | None = None,
    ) -> SignalBatch:
        """Check, encode, run and answer rows with one version, and note nothing; arguments as for `answer`."""
        deadline = time.monotonic() + seconds
        if live.generator is not None:
            return await live.generator.work(rows, deadline, wishes.options, rendered=wishes.rendered, listen=listen)
        checked, encoded = await _maybe_in_thread(
            size > LARGE_REQUEST_BYTES, functools.partial(_encode, live.loaded, rows)
        )
        outputs = await live.compute(encoded, len(checked), deadline)
        return SignalBatch(checked, encoded, outputs, live.loaded.predictor.task.answers_to(checked, outputs))

    async def infer(self, inputs: Arrays) -> tuple[str, Arrays]:
        """Run raw model inputs, whose names, types and shapes were checked; counted, but neither watched nor stored.

        Returns:
            The version that answered, and the model's outputs.
        """
        begun = time.perf_counter()
        deadline = time.monotonic() + self.limits.deadline_seconds
        with self._current() as live:
            rows = row_count(inputs)
            try:
                outputs = await live.compute([Encoded(tuple(range(rows)), inputs)], rows, deadline)
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
            OverloadedError: Too many labels wait for it.
        """
        return await self.watch.label(items)

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


def _encode(loaded: Loaded, rows: Sequence[Row]) -> tuple[list[Row], list[Encoded]]:
    preprocessor = loaded.predictor.preprocessor
    checked = preprocessor.check(rows)
    return checked, preprocessor.encode(checked)


async def _maybe_in_thread(heavy: bool, call: functools.partial[T]) -> T:
    return await asyncio.to_thread(call) if heavy else call()

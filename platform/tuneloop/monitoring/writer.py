"""Writes predictions to the store behind the requests: a bounded queue and one thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError

from tuneloop.monitoring.metrics import Metrics
from tuneloop.monitoring.postgres import in_words
from tuneloop.monitoring.store import Prediction, Shadow

logger = logging.getLogger(__name__)


T = TypeVar("T", bound=Prediction | Shadow)
_Taken = TypeVar("_Taken", bound=Prediction | Shadow, contravariant=True)


class Sink(Protocol[_Taken]):
    """Where answers go: the prediction store, or its part for shadows."""

    def add_predictions(self, predictions: Sequence[_Taken]) -> None:
        """Store answers; raises where it cannot."""


class _Receipt:
    """Some rows that somebody waits for."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.missing = set(ids)
        self.stored: Future[bool] = Future()
        # From now on nobody who stops waiting can cancel it under the writer's hands.
        self.stored.set_running_or_notify_cancel()

    def end(self, *, stored: bool) -> None:
        """Tell it, once."""
        if not self.stored.done():
            self.stored.set_result(stored)


class PredictionWriter(Generic[T]):
    """A queue that never makes a request wait or fail: what does not fit is dropped and counted.

    A write that fails is tried again until it works, so a database that comes back gets everything that still fitted
    in the queue. A row that the database refuses for itself is dropped and counted, and its neighbours are written.

    Args:
        store: Where predictions go.
        metrics: The collectors of this process.
        model: The `model` label.
        capacity: Rows that may wait.
        batch_rows: Rows written at once, at most.
        first_pause: Seconds before a failed write is tried again; doubled each time, up to `longest_pause`.
        longest_pause: Seconds.
        linger: Seconds for which a batch that is not full waits for more rows: a transaction costs as much as dozens
            of rows. `flush` and `close` do not wait for it.
        written: Called in the writer's thread with the ids of each batch that was written.
        place: The store, in messages.
    """

    def __init__(
        self,
        store: Sink[T],
        metrics: Metrics,
        model: str,
        *,
        capacity: int = 20_000,
        batch_rows: int = 500,
        first_pause: float = 0.1,
        longest_pause: float = 10.0,
        linger: float = 0.25,
        written: Callable[[Sequence[str]], None] | None = None,
        place: str = "the store",
    ) -> None:
        self._store, self._batch_rows, self._written, self._place = store, batch_rows, written, place
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._linger, self._capacity = linger, capacity
        self._queue: deque[T] = deque()
        self._dropped = metrics.store_dropped_rows.labels(model)
        self._errors = metrics.store_errors.labels(model)
        self._closing = threading.Event()
        self._given_up = threading.Event()
        self._accepted = self._done = self._wanted = 0
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._awaited: dict[str, _Receipt] = {}
        self._thread = threading.Thread(target=self._run, name="tuneloop-prediction-writer", daemon=True)
        self._thread.start()

    def put(self, prediction: T) -> bool:
        """Queue a prediction. Never waits, never raises.

        Returns:
            Whether there was room; False: it was dropped and counted.
        """
        return self.put_all((prediction,)) == 1

    def put_all(self, predictions: Sequence[T]) -> int:
        """Queue predictions. Never waits, never raises.

        Returns:
            For how many there was room; the others, the last ones, were dropped and counted.
        """
        with self._changed:
            room = 0 if self._closing.is_set() else self._capacity - len(self._queue)
            taken = predictions if len(predictions) <= room else predictions[:room]
            self._queue.extend(taken)
            self._accepted += len(taken)
            full = len(self._queue) >= self._batch_rows
        # The writer sleeps on while its batch fills: to wake it for every row would cost more than the row.
        if full and not self._wake.is_set():
            self._wake.set()
        if len(taken) < len(predictions):
            self._dropped.inc(len(predictions) - len(taken))
        return len(taken)

    def put_awaited(self, predictions: Sequence[T]) -> Future[bool]:
        """Queue predictions that are to be written at once. Never waits, never raises.

        Returns:
            Becomes true once a transaction with the last of them was committed, and false where one of them was
            dropped or refused.
        """
        receipt = _Receipt([one.id for one in predictions])
        with self._changed:
            self._awaited.update(dict.fromkeys(receipt.missing, receipt))
        if self.put_all(predictions) < len(predictions):
            self._answer([one.id for one in predictions], stored=False)
            return receipt.stored
        with self._changed:
            self._wanted = max(self._wanted, self._accepted)
            self._wake.set()
        return receipt.stored

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything queued so far is in the store, or was refused by it.

        Returns:
            Whether that happened within `timeout` seconds.
        """
        with self._changed:
            goal = self._wanted = max(self._wanted, self._accepted)
            self._wake.set()
            return self._changed.wait_for(lambda: self._done >= goal, timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Take no more, write what is queued, and drop and count what cannot be written within `timeout` seconds."""
        with self._changed:
            self._closing.set()
        self._wake.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._given_up.set()
            self._thread.join(self._longest_pause)
        if self._thread.is_alive():
            # It hangs in a database that answers nothing; what it holds is lost with this process.
            with self._changed:
                self._dropped.inc(self._accepted - self._done)
                self._queue.clear()

    def _run(self) -> None:
        while not (self._closing.is_set() and not self._queue):
            batch = self._take()
            if not batch:
                continue
            stored = self._write(batch)
            if self._awaited:
                self._answer([prediction.id for prediction in stored], stored=True)
                self._answer([prediction.id for prediction in batch], stored=False)
            if stored and self._written is not None:
                try:
                    self._written([prediction.id for prediction in stored])
                except Exception:
                    logger.exception("the writer's callback failed")
            with self._changed:
                self._done += len(batch)
                self._changed.notify_all()

    def _answer(self, ids: Sequence[str], *, stored: bool) -> None:
        """Tell those who wait for these rows; whoever was told already is not told again."""
        for id_ in ids:
            with self._changed:
                receipt = self._awaited.pop(id_, None)
            if receipt is not None:
                receipt.missing.discard(id_)
                if not stored or not receipt.missing:
                    receipt.end(stored=stored)

    def _take(self) -> list[T]:
        """The next batch: at once where it is full or somebody waits for it, else what came while it lingered."""
        self._wake.wait(self._linger)
        with self._changed:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_rows))]
            hurry = self._closing.is_set() or self._done + len(batch) < self._wanted
            if not hurry and len(self._queue) < self._batch_rows:
                self._wake.clear()
        return batch

    def _write(self, batch: Sequence[T]) -> Sequence[T]:
        """Write a batch; gives what was stored."""
        pause = self._first_pause
        while not self._given_up.is_set():
            try:
                self._store.add_predictions(batch)
                return batch
            except Exception as error:
                self._errors.inc()
                if _refused(error):
                    return self._write_singly(batch, error)
                logger.warning(
                    "%d predictions wait for %s: %s", len(batch) + len(self._queue), self._place, in_words(error)
                )
            self._pause(pause)
            pause = min(pause * 2, self._longest_pause)
        self._dropped.inc(len(batch))
        return []

    def _write_singly(self, batch: Sequence[T], error: Exception) -> Sequence[T]:
        if len(batch) == 1:
            logger.error("%s refused prediction %r: %s", self._place, batch[0].id, in_words(error))
            self._dropped.inc()
            return []
        middle = len(batch) // 2
        return [*self._write(batch[:middle]), *self._write(batch[middle:])]

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._given_up.wait(min(0.1, seconds)):
            if self._closing.is_set():
                return


def _refused(error: Exception) -> bool:
    """Whether the fault lies in the rows, not in the database: trying again would never help."""
    if isinstance(error, SQLAlchemyError):
        own_fault = isinstance(error, DataError | IntegrityError)
        return own_fault or (isinstance(error, StatementError) and error.__class__ is StatementError)
    return isinstance(error, TypeError | ValueError | RecursionError)

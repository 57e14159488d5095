"""Writes predictions to the store behind the requests: a bounded queue and one thread."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError

from tuneloop.monitoring.metrics import Metrics
from tuneloop.monitoring.store import Prediction, PredictionStore

logger = logging.getLogger(__name__)


class PredictionWriter:
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
        written: Called in the writer's thread with the ids of each batch that was written.
    """

    def __init__(
        self,
        store: PredictionStore,
        metrics: Metrics,
        model: str,
        *,
        capacity: int = 20_000,
        batch_rows: int = 500,
        first_pause: float = 0.1,
        longest_pause: float = 10.0,
        written: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        self._store, self._batch_rows, self._written = store, batch_rows, written
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._queue: queue.Queue[Prediction] = queue.Queue(capacity)
        self._dropped = metrics.store_dropped_rows.labels(model)
        self._errors = metrics.store_errors.labels(model)
        self._closing = threading.Event()
        self._given_up = threading.Event()
        self._accepted = self._done = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="tuneloop-prediction-writer", daemon=True)
        self._thread.start()

    def put(self, prediction: Prediction) -> bool:
        """Queue a prediction. Never waits, never raises.

        Returns:
            Whether there was room; False: it was dropped and counted.
        """
        with self._changed:
            if not self._closing.is_set():
                with contextlib.suppress(queue.Full):
                    self._queue.put_nowait(prediction)
                    self._accepted += 1
                    return True
        self._dropped.inc()
        return False

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything queued so far is in the store, or was refused by it.

        Returns:
            Whether that happened within `timeout` seconds.
        """
        with self._changed:
            goal = self._accepted
            return self._changed.wait_for(lambda: self._done >= goal, timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Take no more, write what is queued, and drop and count what cannot be written within `timeout` seconds."""
        with self._changed:
            self._closing.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._given_up.set()
            self._thread.join(self._longest_pause)

    def _run(self) -> None:
        while not (self._closing.is_set() and self._queue.empty()):
            batch = self._take()
            if not batch:
                continue
            stored = self._write(batch)
            if stored and self._written is not None:
                try:
                    self._written([prediction.id for prediction in stored])
                except Exception:
                    logger.exception("the writer's callback failed")
            with self._changed:
                self._done += len(batch)
                self._changed.notify_all()

    def _take(self) -> list[Prediction]:
        batch: list[Prediction] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._queue.get(timeout=0.1))
            while len(batch) < self._batch_rows:
                batch.append(self._queue.get_nowait())
        return batch

    def _write(self, batch: Sequence[Prediction]) -> Sequence[Prediction]:
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
                logger.warning("%d predictions wait for the store: %s", len(batch), error)
            self._pause(pause)
            pause = min(pause * 2, self._longest_pause)
        self._dropped.inc(len(batch))
        return []

    def _write_singly(self, batch: Sequence[Prediction], error: Exception) -> Sequence[Prediction]:
        if len(batch) == 1:
            logger.error("the store refused prediction %r: %s", batch[0].id, error)
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

"""A worker's way to the prediction store: what is kept of its answers, and the labels that come back for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from tuneloop.api import SignalBatch
from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.postgres import without_password
from tuneloop.monitoring.retention import Retention
from tuneloop.monitoring.shadows import ShadowStore
from tuneloop.monitoring.store import Prediction, PredictionStore, Shadow
from tuneloop.monitoring.store_policy import CoveredStore, StorePolicy, cover
from tuneloop.monitoring.writer import PredictionWriter, Sink
from tuneloop.serving.errors import OverloadedError

T = TypeVar("T")

LABEL_THREADS = 4
"""Threads that take labels. Their own: a database that hangs must not take those that requests are encoded in."""
MOST_WAITING_CALLS = 32
"""Requests with labels under way or waiting; more are refused, to be sent again."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where a worker stores, and what.

    Attributes:
        url: SQLAlchemy URL; None: nowhere.
        policy: What is kept.
        key: Of the hashes that the policy asks for.
    """

    url: str | None = None
    policy: StorePolicy = field(default_factory=StorePolicy)
    key: bytes = b""


class Storing:
    """The open store of one worker, and its threads: writers, retention, labels.

    Args:
        url: SQLAlchemy URL.
        model: The `model` label.
        settings: What is kept.
        written: Told the ids of predictions just written, in the writer's thread.
        compared: Told those of shadow answers.

    Raises:
        ServingError: The store cannot be opened, and no waiting would help, or the policy says not to wait.
    """

    def __init__(
        self,
        url: str,
        model: str,
        settings: StoreSettings,
        *,
        written: Callable[[Sequence[str]], None],
        compared: Callable[[Sequence[str]], None],
    ) -> None:
        self._model, self._policy, self._compared = model, settings.policy, compared
        self.store = PredictionStore(url, patient=not settings.policy.required)
        covered = cover(settings.policy, settings.key)
        sink: Sink[Prediction] = self.store if settings.policy.keeps_inputs else CoveredStore(self.store, covered)
        self._place = f"the store {without_password(url)}"
        self._writer: PredictionWriter[Prediction] = PredictionWriter(
            sink, metrics(), model, written=written, place=self._place
        )
        self._shadows: PredictionWriter[Shadow] | None = None
        self._labels = ThreadPoolExecutor(LABEL_THREADS, thread_name_prefix="tuneloop-labels")
        self._calls = 0
        seconds = settings.policy.retention
        self._retention = None if seconds is None else Retention(self.store, metrics(), model, seconds)

    def put(
        self, version: str, ids: Sequence[str], batch: SignalBatch, subject: str | None, *, durable: bool
    ) -> Future[bool] | None:
        """Queue answers, as far as the policy takes them. Never waits.

        Returns:
            Where `durable`: becomes true once all of them are in the store, and false where one of them never will be.
        """
        now, takes = time.time(), self._policy.takes
        found = [
            Prediction(id_, self._model, version, now, row, answer, subject)
            for id_, row, answer in zip(ids, batch.rows, batch.answers, strict=True)
            if takes(id_)
        ]
        if not durable:
            self._writer.put_all(found)
            return None
        stored = self._writer.put_awaited(found)
        return stored if len(found) == len(ids) else _never()

    def put_shadows(self, shadows: Sequence[Shadow]) -> None:
        """Queue what a challenger answered unseen. Never waits."""
        if self._shadows is None:
            self._shadows = PredictionWriter(
                ShadowStore(self.store), metrics(), self._model, written=self._compared, place=self._place
            )
        self._shadows.put_all([shadow for shadow in shadows if self._policy.takes(shadow.id)])

    def settle(self, seconds: float) -> None:
        """Wait until the answers queued so far are in the store, for so long at most."""
        self._writer.flush(seconds)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Do what blocks on the database, in a thread of its own. Called in the event loop.

        Raises:
            OverloadedError: Too many calls are waiting.
        """
        if self._calls >= MOST_WAITING_CALLS:
            raise OverloadedError("too many requests with labels are waiting for the prediction store", 1)
        self._calls += 1
        future = self._labels.submit(work)
        future.add_done_callback(self._called)
        return future

    def close(self) -> None:
        """Write what is left."""
        if self._retention is not None:
            self._retention.close()
        for writer in (self._writer, self._shadows):
            if writer is not None:
                writer.close()
        self._labels.shutdown(wait=False, cancel_futures=True)
        self.store.close()

    def _called(self, _: object) -> None:
        self._calls -= 1


def _never() -> Future[bool]:
    future: Future[bool] = Future()
    future.set_result(False)
    return future

"""What a worker notes about its answers: counters by version, the prediction store, and the labels that come back."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, cast

from tuneloop.api import Signal, SignalBatch
from tuneloop.artifact import Artifact
from tuneloop.monitoring.accuracy.online import EstimateCounter
from tuneloop.monitoring.accuracy.slices import SliceReader
from tuneloop.monitoring.accuracy.tally import LabelTally
from tuneloop.monitoring.counters import SignalCounters
from tuneloop.monitoring.feedback import Feedback, FeedbackResult
from tuneloop.monitoring.metrics import forget_dead_workers, metrics
from tuneloop.monitoring.reference import REFERENCE_FILE, Reference
from tuneloop.monitoring.signals import create_signals
from tuneloop.monitoring.store import Shadow
from tuneloop.serving.batch_counts import BatchCounts
from tuneloop.serving.errors import NoStoreError, StoreUnreachableError
from tuneloop.serving.loader import Loaded
from tuneloop.serving.storing import StoreSettings, Storing
from tuneloop.serving.wishes import Wishes

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
_SETTLE_SECONDS = 1.0
_LABEL_SECONDS = 40.0
"""For labels to be taken: above the time that SQLite waits for its lock, below BentoML's own limit."""


class VersionWatch:
    """The counters of one version in this worker.

    Args:
        loaded: The version.
        model: The `model` label.
        mode: How a challenger is tried; its signals are not watched, as it sees a share of the rows. None: a champion.
    """

    def __init__(self, loaded: Loaded, model: str, mode: str | None = None) -> None:
        self._all = metrics()
        one = (model, loaded.version)
        self.tolerance = 0.0
        self._signals: SignalCounters | None = None
        reference = _reference(loaded.artifact)
        slices: SliceReader | None = None
        if reference is not None:
            self.tolerance = reference.tolerance
            signature = loaded.artifact.manifest.signature
            embedding = next((t.shape[1] for t in signature.outputs if t.name == "embedding"), 0)
            signals = create_signals(
                cast("tuple[type[Signal], ...]", loaded.plugins.classes("signal")),
                signature.columns,
                signature.inputs,
                signature.output_names,
                int(embedding),
            )
            if mode is None:
                # What the project excludes has no reference.
                known = [signal for signal in signals if signal.label in reference.by_label]
                calibration, task = reference.calibration, loaded.predictor.task
                estimate = EstimateCounter(calibration, task, self._all, *one) if calibration is not None else None
                self._signals = SignalCounters(
                    reference, known, self._all, *one, also=None if estimate is None else estimate.observe
                )
            slices = SliceReader(reference, signals) if reference.slices else None
        self.tally = LabelTally(self._all, model, loaded.predictor.task, slices)
        self.tally.prepare(loaded.version)
        self._predictions = self._all.predictions.labels(*one)
        self._seconds = self._all.prediction_seconds.labels(*one)
        self.batches = BatchCounts(self._all, *one)
        if mode is None:
            self._live = self._all.live_version.labels(*one, loaded.artifact.sha256)
        else:
            self._live = self._all.challenger_workers.labels(*one, loaded.artifact.sha256, mode)

    def begin(self) -> None:
        """This version answers from now on."""
        if self._signals is not None:
            self._signals.publish_reference()
        self._live.set(1)

    def end(self) -> None:
        """This version has given its last answer in this worker."""
        if self._signals is not None:
            self._signals.retire()
        self.batches.end()
        self._live.set(0)

    def answered(self, rows: int, seconds: float) -> None:
        """Count answered rows and the time their request took."""
        self._predictions.inc(rows)
        self._seconds.observe(seconds)

    def observe(self, batch: SignalBatch) -> None:
        """Note a batch for the signals."""
        if self._signals is not None:
            self._signals.observe(batch)

    def flush(self) -> None:
        """Bring the counters of signals and batches up to date."""
        self.batches.flush()
        if self._signals is not None:
            self._signals.flush()


class WorkerWatch:
    """What a worker keeps whatever version it serves: store, feedback, and a thread that flushes once a second.

    Args:
        model: The `model` label.
        settings: Where answers are stored; without a URL they are counted and forgotten.
    """

    def __init__(self, model: str, settings: StoreSettings) -> None:
        self._model, self._settings = model, settings
        self._storing: Storing | None = None
        self._feedback: Feedback | None = None
        self._version: VersionWatch | None = None
        self._challenger: VersionWatch | None = None
        self._owes = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tuneloop-flush", daemon=True)

    def start(self, loaded: Loaded) -> VersionWatch:
        """Open the store and begin with a version.

        Raises:
            ServingError: The store cannot be opened, or what it is to keep names columns that the model has not.
        """
        version = VersionWatch(loaded, self._model)
        if self._settings.url is not None:
            self._settings.policy.check([column.name for column in loaded.artifact.manifest.signature.columns])
            self._storing = Storing(
                self._settings.url, self._model, self._settings, written=self._join, compared=self._compare
            )
            self._feedback = Feedback(
                self._storing.store,
                metrics(),
                self._model,
                loaded.predictor.task,
                version.tolerance,
                version.tally,
                takes=self._settings.policy.takes,
            )
            if self._storing.store.ready:
                self._join(())
        version.begin()
        self._version = version
        self._thread.start()
        return version

    def prepare(self, loaded: Loaded, mode: str | None = None) -> VersionWatch:
        """The counters of a version that may answer soon; `mode` as for `VersionWatch`. May be called in any thread."""
        return VersionWatch(loaded, self._model, mode)

    def challenge(self, version: VersionWatch | None) -> None:
        """Another challenger, or none, is tried from now on; the old one is still to `end`."""
        if version is not None:
            version.begin()
        self._challenger = version

    @property
    def tolerance(self) -> float:
        """How far the champion's answer may be from the truth and still be right."""
        return 0.0 if self._version is None else self._version.tolerance

    def swap(self, loaded: Loaded, version: VersionWatch) -> None:
        """Another version answers from now on; the old one is still to `end`."""
        version.begin()
        self._version = version
        if self._feedback is not None:
            self._feedback.use(loaded.predictor.task, version.tolerance, version.tally)
        metrics().swaps.labels(self._model).inc()

    def store(self, version: str, ids: Sequence[str], batch: SignalBatch, wishes: Wishes) -> Future[bool] | None:
        """Queue answers for the store, where there is one. Never waits.

        Returns:
            Where that was wished for: becomes whether they are all in the store.
        """
        if self._storing is None:
            return None
        return self._storing.put(version, ids, batch, wishes.subject, durable=wishes.durable)

    def store_shadows(self, shadows: Sequence[Shadow]) -> None:
        """Queue what a challenger answered unseen, where there is a store. Never waits."""
        if self._storing is not None:
            self._storing.put_shadows(shadows)

    async def label(self, items: Sequence[tuple[str, Any]]) -> list[FeedbackResult]:
        """Take labels.

        Raises:
            NoStoreError: There is none.
            StoreUnreachableError: Its database does not answer.
            OverloadedError: Too many labels wait for it.
        """
        if self._feedback is None or self._storing is None:
            raise NoStoreError("this server has no prediction store, so labels cannot be joined")
        from sqlalchemy.exc import SQLAlchemyError

        feedback, storing = self._feedback, self._storing

        def add() -> list[FeedbackResult]:
            # A label for an answer given a moment ago should find it.
            storing.settle(_SETTLE_SECONDS)
            return feedback.add(items)

        try:
            async with asyncio.timeout(_LABEL_SECONDS):
                return await asyncio.wrap_future(storing.call(add))
        except (SQLAlchemyError, TimeoutError) as error:
            raise StoreUnreachableError("the prediction store does not answer; send the labels again", 5) from error

    def stop(self) -> None:
        """Write and count what is left."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._version is not None:
            self._version.end()
        if self._storing is not None:
            self._storing.close()

    def _join(self, ids: Sequence[str]) -> None:
        """Count the labels of these predictions; and of all, where that is owed since the start or a failure."""
        if self._feedback is None:
            return
        owes, self._owes = self._owes, True
        self._feedback.join(None if owes else ids)
        self._owes = False

    def _compare(self, ids: Sequence[str]) -> None:
        if self._feedback is not None:
            self._feedback.compare(ids)

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            try:
                for version in (self._version, self._challenger):
                    if version is not None:
                        version.flush()
                forget_dead_workers()
            except Exception:
                logger.exception("counters could not be flushed")


def _reference(artifact: Artifact) -> Reference | None:
    if REFERENCE_FILE not in artifact.manifest.files:
        logger.warning("the artifact %s has no %s: its signals are not watched", artifact.folder, REFERENCE_FILE)
        return None
    return Reference.load(artifact.folder / REFERENCE_FILE)

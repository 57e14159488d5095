"""What a worker notes about its answers: counters by version, the prediction store, and the labels that come back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, cast

from tuneloop.api import Signal, SignalBatch
from tuneloop.artifact import Artifact
from tuneloop.monitoring.counters import SignalCounters
from tuneloop.monitoring.feedback import Feedback, FeedbackResult
from tuneloop.monitoring.metrics import forget_dead_workers, metrics
from tuneloop.monitoring.reference import REFERENCE_FILE, Reference
from tuneloop.monitoring.shadows import ShadowStore
from tuneloop.monitoring.signals import create_signals
from tuneloop.monitoring.store import Prediction, PredictionStore, Shadow
from tuneloop.monitoring.writer import PredictionWriter
from tuneloop.serving.batch_counts import BatchCounts
from tuneloop.serving.errors import NoStoreError, StoreUnreachableError
from tuneloop.serving.loader import Loaded

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
_SETTLE_SECONDS = 1.0


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
        if reference is not None:
            self.tolerance = reference.tolerance
        if reference is not None and mode is None:
            signature = loaded.artifact.manifest.signature
            embedding = next((t.shape[1] for t in signature.outputs if t.name == "embedding"), 0)
            signals = create_signals(
                cast("tuple[type[Signal], ...]", loaded.plugins.classes("signal")),
                signature.columns,
                signature.inputs,
                signature.output_names,
                int(embedding),
            )
            # What the project excludes has no reference.
            known = [signal for signal in signals if signal.label in reference.by_label]
            self._signals = SignalCounters(reference, known, self._all, *one)
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
        store_url: SQLAlchemy URL of the prediction store; None: answers are counted and forgotten.
    """

    def __init__(self, model: str, store_url: str | None) -> None:
        self._model, self._store_url = model, store_url
        self._store: PredictionStore | None = None
        self._writer: PredictionWriter[Prediction] | None = None
        self._shadows: PredictionWriter[Shadow] | None = None
        self._feedback: Feedback | None = None
        self._version: VersionWatch | None = None
        self._challenger: VersionWatch | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tuneloop-flush", daemon=True)

    def start(self, loaded: Loaded) -> VersionWatch:
        """Open the store and begin with a version.

        Raises:
            ServingError: The store cannot be opened.
        """
        version = VersionWatch(loaded, self._model)
        if self._store_url is not None:
            self._store = PredictionStore(self._store_url)
            self._feedback = Feedback(self._store, metrics(), self._model, loaded.predictor.task, version.tolerance)
            self._writer = PredictionWriter(self._store, metrics(), self._model, written=self._join)
            self._feedback.join()
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
            self._feedback.use(loaded.predictor.task, version.tolerance)
        metrics().swaps.labels(self._model).inc()

    def store(self, version: str, ids: Sequence[str], batch: SignalBatch) -> None:
        """Queue answers for the store, where there is one. Never waits."""
        if self._writer is None:
            return
        now = time.time()
        self._writer.put_all(
            [
                Prediction(id_, self._model, version, now, row, answer)
                for id_, row, answer in zip(ids, batch.rows, batch.answers, strict=True)
            ]
        )

    def store_shadows(self, shadows: Sequence[Shadow]) -> None:
        """Queue what a challenger answered unseen, where there is a store. Never waits."""
        if self._store is None:
            return
        if self._shadows is None:
            store = ShadowStore(self._store)
            self._shadows = PredictionWriter(store, metrics(), self._model, written=self._compare)
        self._shadows.put_all(shadows)

    def label(self, items: Sequence[tuple[str, Any]]) -> list[FeedbackResult]:
        """Take labels; blocks on the database.

        Raises:
            NoStoreError: There is none.
            StoreUnreachableError: Its database does not answer.
        """
        if self._feedback is None or self._writer is None:
            raise NoStoreError("this server has no prediction store, so labels cannot be joined")
        from sqlalchemy.exc import SQLAlchemyError

        # A label for an answer given a moment ago should find it.
        self._writer.flush(_SETTLE_SECONDS)
        try:
            return self._feedback.add(items)
        except SQLAlchemyError as error:
            raise StoreUnreachableError("the prediction store does not answer; send the labels again", 5) from error

    def stop(self) -> None:
        """Write and count what is left."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._version is not None:
            self._version.end()
        for writer in (self._writer, self._shadows):
            if writer is not None:
                writer.close()
        if self._store is not None:
            self._store.close()

    def _join(self, ids: Sequence[str]) -> None:
        if self._feedback is not None:
            self._feedback.join(ids)

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

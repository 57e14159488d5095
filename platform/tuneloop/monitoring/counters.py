"""The request path of monitoring: a batch is noted in a microsecond, and put into bins once a second."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Encoded, PluginError, Signal, SignalBatch
from tuneloop.monitoring.metrics import OUTCOMES, Metrics
from tuneloop.monitoring.reference import Reference, read_signal

if TYPE_CHECKING:
    from prometheus_client import Counter

logger = logging.getLogger(__name__)


class SignalCounters:
    """Counts the values of every signal of one version in its reference bins. Thread safe.

    ```python
    counters = SignalCounters(reference, signals, metrics(), "desk", "3")
    counters.publish_reference()
    counters.observe(batch)  # in each request
    counters.flush()         # once a second, in a thread
    counters.retire()        # when another version took over
    ```

    Args:
        reference: Of the version served.
        signals: Those of the version; one that the reference does not know is left out.
        metrics: The collectors of this process.
        model: The `model` label.
        version: The `version` label.
        most_rows: `observe` puts rows into bins itself when more than this many wait.
        most_bytes: The same for the size of their arrays, so that images do not pile up.
        also: Gets what waited, in few large batches, whenever it is put into bins; must not raise.
    """

    def __init__(
        self,
        reference: Reference,
        signals: Sequence[Signal],
        metrics: Metrics,
        model: str,
        version: str,
        *,
        most_rows: int = 2048,
        most_bytes: int = 16 << 20,
        also: Callable[[SignalBatch], None] | None = None,
    ) -> None:
        self._reference, self._metrics, self._model, self._version = reference, metrics, model, version
        self._most_rows, self._most_bytes = most_rows, most_bytes
        self._also = also
        self._signals = {signal.label: signal for signal in signals if signal.label in reference.by_label}
        for label in sorted({signal.label for signal in signals} ^ set(reference.by_label)):
            logger.warning(
                "signal %r of %s version %s is not watched: no signal or no reference", label, model, version
            )
        self._children: list[Counter] = []
        self._offsets: dict[str, int] = {}
        for label in self._signals:
            self._offsets[label] = len(self._children)
            self._children += [
                metrics.signal_observations.labels(model, version, label, name)
                for name in reference.by_label[label].names
            ]
        self._counts: NDArray[np.int64] = np.zeros(len(self._children), dtype=np.int64)
        self._pending: list[SignalBatch] = []
        self._pending_rows = self._pending_bytes = 0
        self._published = False
        self._pending_lock, self._counts_lock = threading.Lock(), threading.Lock()
        metrics.predictions.labels(model, version)
        metrics.label_squared_error.labels(model, version)
        for outcome in OUTCOMES:
            metrics.labels.labels(model, version, outcome)

    def observe(self, batch: SignalBatch) -> None:
        """Note a batch that was answered. Never raises. Its arrays are read later and must not be written again."""
        rows, size = len(batch.rows), _size(batch)
        with self._pending_lock:
            self._pending.append(batch)
            self._pending_rows += rows
            self._pending_bytes += size
            full = self._pending_rows >= self._most_rows or self._pending_bytes >= self._most_bytes
        if full:
            self._fold()

    def flush(self) -> None:
        """Add what was observed since the last flush to the metrics. Never raises."""
        self._fold()
        with self._counts_lock:
            counts, self._counts = self._counts, np.zeros_like(self._counts)
        for position in np.flatnonzero(counts):
            self._children[position].inc(int(counts[position]))

    def publish_reference(self) -> None:
        """Set the gauges that the alert rules compare with."""
        one = (self._model, self._version)
        for label in self._signals:
            self._set_ratios(label, retired=False)
        self._metrics.signal_reference_rows.labels(*one).set(self._reference.rows)
        if self._reference.score is not None:
            self._metrics.reference_score_ratio.labels(*one).set(self._reference.score)
        self._published = True

    def retire(self) -> None:
        """Count what is left and set the gauges to 0: rules no longer look at this version of this worker."""
        self.flush()
        if not self._published:
            return
        self._published = False
        one = (self._model, self._version)
        for label in self._offsets:
            self._set_ratios(label, retired=True)
        self._metrics.signal_reference_rows.labels(*one).set(0)
        if self._reference.score is not None:
            self._metrics.reference_score_ratio.labels(*one).set(0)

    def _set_ratios(self, label: str, *, retired: bool) -> None:
        bins = self._reference.by_label[label]
        for name, ratio in zip(bins.names, bins.ratios, strict=True):
            gauge = self._metrics.signal_reference_ratio.labels(self._model, self._version, label, name)
            gauge.set(0.0 if retired else float(ratio))

    def _fold(self) -> None:
        with self._pending_lock:
            batches, self._pending = self._pending, []
            self._pending_rows = self._pending_bytes = 0
        if not batches:
            return
        try:
            merged = [merge(batches)]
        except (ValueError, KeyError):
            merged = batches
        for batch in merged:
            for label, signal in list(self._signals.items()):
                self._count(label, signal, batch)
            if self._also is not None:
                self._also(batch)

    def _count(self, label: str, signal: Signal, batch: SignalBatch) -> None:
        bins = self._reference.by_label[label]
        try:
            found = np.bincount(bins.index(read_signal(signal, batch)), minlength=len(bins.names))
        except PluginError:
            self._switch_off(label)
            return
        start = self._offsets[label]
        with self._counts_lock:
            self._counts[start : start + len(found)] += found

    def _switch_off(self, label: str) -> None:
        """A signal that fails must not fail requests, nor alarm over the part of the rows it did read."""
        if self._signals.pop(label, None) is None:
            return
        logger.exception("signal %r of %s version %s is switched off", label, self._model, self._version)
        self._metrics.signal_failures.labels(self._model, self._version, label).inc()
        if self._published:
            self._set_ratios(label, retired=True)


def merge(batches: Sequence[SignalBatch]) -> SignalBatch:
    """One batch with the rows of many, in order.

    Raises:
        ValueError: Outputs have different shapes apart from the batch axis.
        KeyError: Outputs have different names.
    """
    if len(batches) == 1:
        return batches[0]
    encoded: list[Encoded] = []
    start = 0
    for batch in batches:
        for group in batch.encoded:
            rows = tuple(row + start for row in group.rows)
            encoded.append(Encoded(rows=rows, inputs=group.inputs, length=group.length))
        start += len(batch.rows)
    names = batches[0].outputs
    return SignalBatch(
        rows=[row for batch in batches for row in batch.rows],
        encoded=encoded,
        outputs={name: np.concatenate([batch.outputs[name] for batch in batches]) for name in names},
        answers=[answer for batch in batches for answer in batch.answers],
    )


def _size(batch: SignalBatch) -> int:
    size = 0
    for arrays in (batch.outputs, *(group.inputs for group in batch.encoded)):
        for array in arrays.values():
            size += array.nbytes
    return size

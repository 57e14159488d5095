"""The embedded watcher: what Prometheus and Alertmanager do for one model, in a thread, where they are absent.

It scrapes `/metrics` of each server, keeps the window in memory, computes the figures of the rules and posts the same
webhook. Memory grows with window / scrape interval; a few hundred scrapes a window are plenty.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tuneloop.api import ServingError
from tuneloop.monitoring import metrics as names
from tuneloop.monitoring.alerts import AlertStates, Condition, Labels
from tuneloop.monitoring.delivery import Delivery
from tuneloop.monitoring.exposition import parse
from tuneloop.monitoring.formula import Drift, drift, wilson_upper
from tuneloop.monitoring.rules import (
    ACCURACY_ALERT,
    DRIFT_ALERT,
    SEVERITY,
    VALUE_DIGITS,
    WatchValues,
    alert_texts,
)
from tuneloop.monitoring.webhook import get, post
from tuneloop.monitoring.window import SampleWindow, Series

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Labelled answers of a window: share right, its upper bound, labels, and the share on the holdout."""

    share: float
    upper: float
    labels: float
    reference: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of one look: drift by (version, signal), accuracy by version."""

    drift: Mapping[tuple[str, str], Drift] = field(default_factory=dict)
    accuracy: Mapping[str, Accuracy] = field(default_factory=dict)


class Watcher:
    """Watches one model.

    ```python
    watcher = Watcher(WatchValues("desk", window=3600), ["http://127.0.0.1:3000/metrics"], webhook, token)
    watcher.start()
    ...
    watcher.stop()
    ```

    Args:
        values: What decides on an alarm.
        targets: Addresses of metrics pages, one a replica.
        webhook: Where alerts are posted.
        token: The bearer token of the webhook.
        page_token: Gives the bearer token of the metrics pages, for each look anew; None: they ask for none.
        receiver: The receiver's name in the payload.
        repeat: Seconds after which an alert that still fires is posted again.
        clock: Unix seconds.
    """

    def __init__(
        self,
        values: WatchValues,
        targets: Sequence[str],
        webhook: str,
        token: str | None = None,
        *,
        page_token: Callable[[], str] | None = None,
        receiver: str = "tuneloop",
        repeat: float = 14_400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.values, self._targets, self._clock = values, tuple(targets), clock
        self._page_token = page_token
        self._window = SampleWindow(values.window)
        self._states = AlertStates(values.hold)
        self._delivery = Delivery(
            partial(_post, webhook, token), receiver=receiver, external_url=self._targets[0], repeat=repeat
        )
        self._snapshot = Snapshot()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The figures of the last look."""
        return self._snapshot

    def start(self) -> None:
        """Look every scrape interval, in a thread."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="tuneloop-watcher", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def look(self) -> Snapshot:
        """Scrape, compute, and post what changed. A server that cannot be reached is passed over."""
        now = self._clock()
        gauges: dict[Series, float] = {}
        for target in self._targets:
            try:
                token = self._page_token() if self._page_token else None
                page = parse(get(target, token=token), "tuneloop_", {"model": self.values.model})
            except ServingError as error:
                logger.warning("nothing was read this time: %s", error)
                continue
            self._window.add(now, {_with_instance(series, target): value for series, value in page.items()})
            for series, value in page.items():
                gauges[series] = max(value, gauges.get(series, value))
        self._window.expire(now)
        self._snapshot = self._figures(now, gauges)
        self._delivery.update(now, self._states.update(now, self._conditions(self._snapshot)))
        return self._snapshot

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + self.values.scrape_interval, time.monotonic())
            try:
                self.look()
            except Exception:
                logger.exception("the watcher goes on after a failed look")

    def _figures(self, now: float, gauges: Mapping[Series, float]) -> Snapshot:
        expected: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        rows: dict[str, float] = {}
        scores: dict[str, float] = {}
        for (name, pairs), value in gauges.items():
            labels = dict(pairs)
            if value <= 0:
                continue
            if name == names.SIGNAL_REFERENCE_RATIO:
                expected[labels["version"], labels["signal"]][labels["bin"]] = value
            elif name == names.SIGNAL_REFERENCE_ROWS:
                rows[labels["version"]] = value
            elif name == names.REFERENCE_SCORE:
                scores[labels["version"]] = value
        seen = self._summed(now, names.SIGNAL_OBSERVATIONS, ("version", "signal", "bin"))
        drifts = {}
        for (version, signal), ratios in expected.items():
            counts = np.array([seen.get((version, signal, one), 0.0) for one in ratios])
            found = drift(counts, np.array(list(ratios.values())), rows[version]) if version in rows else None
            if found is not None:
                drifts[version, signal] = found
        outcomes = self._summed(now, names.LABELS, ("version", "outcome"))
        accuracy = {}
        for version, reference in scores.items():
            right = outcomes.get((version, names.CORRECT), 0.0)
            total = right + outcomes.get((version, names.WRONG), 0.0)
            if total > 0:
                accuracy[version] = Accuracy(right / total, wilson_upper(right, total), total, reference)
        return Snapshot(drifts, accuracy)

    def _summed(self, now: float, metric: str, by: tuple[str, ...]) -> dict[tuple[str, ...], float]:
        sums: dict[tuple[str, ...], float] = defaultdict(float)
        for pairs, value in self._window.increases(now, metric).items():
            labels = dict(pairs)
            sums[tuple(labels[name] for name in by)] += value
        return sums

    def _conditions(self, snapshot: Snapshot) -> list[Condition]:
        values = self.values
        met = [
            self._condition(DRIFT_ALERT, found.zscore, version=version, signal=signal)
            for (version, signal), found in snapshot.drift.items()
            if found.zscore > values.zscore and found.psi > values.psi and found.rows >= values.min_rows
        ]
        met += [
            self._condition(ACCURACY_ALERT, found.upper, version=version)
            for version, found in snapshot.accuracy.items()
            if found.upper < found.reference - values.accuracy_drop and found.labels >= values.min_labels
        ]
        return met

    def _condition(self, alert: str, value: float, **labels: str) -> Condition:
        own = {"model": self.values.model, **labels}
        everything: Labels = tuple(sorted({"alertname": alert, **SEVERITY, **own}.items()))
        return Condition(everything, alert_texts(alert, self.values, own, f"{value:.{VALUE_DIGITS}g}"))


def _with_instance(series: Series, target: str) -> Series:
    name, labels = series
    return name, (*labels, ("instance", target))


def _post(url: str, token: str | None, body: dict[str, Any]) -> None:
    post(url, body, token=token)

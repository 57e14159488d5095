"""The embedded watcher: what Prometheus and Alertmanager do for one model, in a thread, where they are absent.

It scrapes `/metrics` of each server, keeps each window in memory, computes the figures of the rules and posts the same
webhook. Of a window it keeps at most 240 samples a series, however long it is: about 100 bytes each.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tuneloop.api import ServingError
from tuneloop.monitoring.alerts import AlertStates, Condition, Labels
from tuneloop.monitoring.delivery import Delivery
from tuneloop.monitoring.exposition import parse
from tuneloop.monitoring.formula import corrected
from tuneloop.monitoring.rules import (
    ACCURACY_ALERT,
    CONCEPT_ALERT,
    CROWDED,
    DRIFT_ALERT,
    SEVERITY,
    VALUE_DIGITS,
    WatchValues,
    alert_texts,
    duration,
)
from tuneloop.monitoring.rules.concept import risen
from tuneloop.monitoring.snapshot import Snapshot, take_snapshot
from tuneloop.monitoring.webhook import get, post
from tuneloop.monitoring.window import SampleWindow, Series

logger = logging.getLogger(__name__)

_COUNTER = "_total"
_SAMPLES = 240
"""Kept of each series in each window."""


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
        self._windows = {one: SampleWindow(one, one / _SAMPLES) for one in values.windows}
        self._states = {one: AlertStates(values.at(one).hold) for one in values.windows}
        self._risen = AlertStates(0.0)
        self._delivery = Delivery(
            partial(_post, webhook, token), receiver=receiver, external_url=self._targets[0], repeat=repeat
        )
        self._snapshots: Mapping[float, Snapshot] = dict.fromkeys(values.windows, Snapshot())
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The figures of the last look, of the shortest window."""
        return self._snapshots[self.values.window]

    @property
    def snapshots(self) -> Mapping[float, Snapshot]:
        """The figures of the last look, by window in seconds, the shortest first."""
        return self._snapshots

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
            counters = {_with_instance(one, target): value for one, value in page.items() if one[0].endswith(_COUNTER)}
            for window in self._windows.values():
                window.add(now, counters)
            for series, value in page.items():
                gauges[series] = max(value, gauges.get(series, value))
        for window in self._windows.values():
            window.expire(now)
        self._snapshots = {length: take_snapshot(window, now, gauges) for length, window in self._windows.items()}
        alerts = [
            alert
            for length, conditions in self._conditions().items()
            for alert in self._states[length].update(now, conditions)
        ]
        rises = [
            self._condition(CONCEPT_ALERT, None, mean, version=version, detector=detector)
            for (version, detector), mean in risen(self.values, now, gauges).items()
        ]
        self._delivery.update(now, [*alerts, *self._risen.update(now, rises)])
        return self.snapshot

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + self.values.scrape_interval, time.monotonic())
            try:
                self.look()
            except Exception:
                logger.exception("the watcher goes on after a failed look")

    def _conditions(self) -> dict[float, list[Condition]]:
        """The conditions met, by window: the shortest window with enough rows, or labels, is judged."""
        values = self.values
        met: dict[float, list[Condition]] = {}
        judged_before: set[tuple[str, ...]] = set()
        for window, snapshot in self._snapshots.items():
            found: list[Condition] = []
            crowded: set[tuple[str, ...]] = set()
            for (version, signal), one in snapshot.drift.items():
                limit = corrected(values.zscore, snapshot.signals[version] * len(values.windows))
                crowded |= {(version, signal)} if one.rows >= CROWDED * values.min_rows else set()
                drifted = one.zscore > limit and one.psi > values.psi and one.rows >= values.min_rows
                if drifted and (version, signal) not in judged_before:
                    found.append(self._condition(DRIFT_ALERT, window, one.zscore, version=version, signal=signal))
            for version, right in snapshot.accuracy.items():
                crowded |= {(version,)} if right.labels >= CROWDED * values.min_labels else set()
                worse = right.upper < right.reference - values.accuracy_drop and right.labels >= values.min_labels
                if worse and (version,) not in judged_before:
                    found.append(self._condition(ACCURACY_ALERT, window, right.upper, version=version))
            judged_before |= crowded
            met[window] = found
        return met

    def _condition(self, alert: str, window: float | None, value: float, **labels: str) -> Condition:
        """One condition; `window` is None where the alert knows none."""
        looked = {} if window is None else {"window": duration(window)}
        own = {"model": self.values.model, **looked, **labels}
        everything: Labels = tuple(sorted({"alertname": alert, **SEVERITY, **own}.items()))
        texts = alert_texts(alert, self.values.at(window or self.values.window), own, f"{value:.{VALUE_DIGITS}g}")
        return Condition(everything, texts)


def _with_instance(series: Series, target: str) -> Series:
    name, labels = series
    return name, (*labels, ("instance", target))


def _post(url: str, token: str | None, body: dict[str, Any]) -> None:
    post(url, body, token=token)

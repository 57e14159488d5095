"""How one version did: requests, failures, latency and labels, from counters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tuneloop.loop.trials.counting import CORRECTIONS, FAILURES, LABELS, LATENCY, REFUSED, series
from tuneloop.monitoring.accuracy.intervals import wilson
from tuneloop.monitoring.metrics import CORRECT, PREDICTION_BUCKETS, TO_CORRECT, TO_WRONG, WRONG

OWN_FAULTS = ("internal", "deadline")
"""Reasons of refused requests that are a version's fault; a client's mistakes and a crowd's rush move no version."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How a version did.

    Attributes:
        answered: Requests that it answered.
        failed: Requests that it could not answer.
        labels: Answers whose label arrived.
        right: Of these, the right ones.
        buckets: Upper bounds in seconds, rising, the last one infinite, each with the requests up to it.
    """

    answered: float = 0.0
    failed: float = 0.0
    labels: float = 0.0
    right: float = 0.0
    buckets: tuple[tuple[float, float], ...] = ()

    @property
    def asked(self) -> float:
        """Requests that it was asked."""
        return self.answered + self.failed

    @property
    def failure_rate(self) -> float:
        """Share of the requests that failed; 0 where there were none."""
        return self.failed / self.asked if self.asked else 0.0

    @property
    def accuracy(self) -> float | None:
        """Share of right answers among those with a label; None where there is no label."""
        return self.right / self.labels if self.labels else None

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of the answers came, within a bucket by a straight line as Prometheus has it.

        Returns:
            None where there were no answers. What lies beyond the last finite bound counts as that bound.
        """
        if not self.answered:
            return None
        wanted, low, below = share * self.answered, 0.0, 0.0
        for bound, count in self.buckets:
            if count >= wanted:
                if math.isinf(bound):
                    break
                return low + (bound - low) * (wanted - below) / (count - below) if count > below else bound
            low, below = (low if math.isinf(bound) else bound), count
        return low

    def bound_of(self, share: float) -> float:
        """The upper bound of the bucket that holds a quantile; infinite where there were no answers."""
        wanted = share * self.answered
        return next((bound for bound, count in self.buckets if self.answered and count >= wanted), math.inf)

    def slower(self, bound: float) -> float:
        """Answers that took longer than a bound of a bucket."""
        return self.answered - next((count for limit, count in self.buckets if limit >= bound), self.answered)

    def labelled_as(self, other: Tally) -> Tally:
        """This one with the labels of another added."""
        return replace(self, labels=self.labels + other.labels, right=self.right + other.right)

    def figures(self) -> dict[str, Any]:
        """The figures as JSON values; times are in seconds."""
        return {
            "requests": self.asked,
            "failed": self.failed,
            "p95": self.quantile(0.95),
            "p99": self.quantile(0.99),
            "labels": self.labels,
            "right": self.right,
        }

    def said(self) -> str:
        """The figures in words."""
        words = [f"{self.asked:.0f} requests, {self.failed:.0f} failed"]
        p95, p99 = self.quantile(0.95), self.quantile(0.99)
        if p95 is not None and p99 is not None:
            words.append(f"p95 {_milliseconds(p95)}, p99 {_milliseconds(p99)}")
        interval = wilson(self.right, self.labels)
        if interval is not None:
            words.append(
                f"accuracy {self.right / self.labels:.3f} ({interval.low:.3f} to {interval.high:.3f}, "
                f"{self.labels:.0f} labels)"
            )
        return ", ".join(words)


def champion_tally(page: Mapping[str, float], version: str) -> Tally:
    """How a champion did. Failures are counted by model: they are the champion's, as a challenger's fail no request."""
    failed = sum(page.get(series(REFUSED, reason=reason), 0.0) for reason in OWN_FAULTS)
    return replace(_tally(page, version), failed=failed)


def challenger_tally(page: Mapping[str, float], version: str) -> Tally:
    """How a challenger did; a champion answered what it could not."""
    start = series(FAILURES) + "|"
    failed = sum(
        value for key, value in page.items() if key.startswith(start) and f"version={version}" in key.split("|")
    )
    return replace(_tally(page, version), failed=failed)


def _tally(page: Mapping[str, float], version: str) -> Tally:
    buckets: dict[float, float] = {}
    for key, value in page.items():
        name, *labels = key.split("|")
        if name == LATENCY and f"version={version}" in labels:
            bound = next(label.removeprefix("le=") for label in labels if label.startswith("le="))
            buckets[float(bound)] = value
    correct, wrong = (page.get(series(LABELS, version=version, outcome=outcome), 0.0) for outcome in (CORRECT, WRONG))
    turned = [page.get(series(CORRECTIONS, version=version, change=change), 0.0) for change in (TO_CORRECT, TO_WRONG)]
    counted = correct + wrong
    return Tally(
        answered=buckets.get(math.inf, 0.0),
        labels=counted,
        right=min(max(correct + turned[0] - turned[1], 0.0), counted),
        buckets=tuple(_filled(buckets)),
    )


def _filled(buckets: Mapping[float, float]) -> list[tuple[float, float]]:
    """Counts of all buckets: one whose count did not change is absent from increments."""
    rising: list[tuple[float, float]] = []
    most = 0.0
    for bound in sorted({*PREDICTION_BUCKETS, math.inf, *buckets}):
        most = max(most, buckets.get(bound, 0.0))
        rising.append((bound, most))
    return rising


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"

"""Counter samples of a moving window, and their increase as Prometheus computes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A metric name and its sorted labels."""


class SampleWindow:
    """Samples of many counters at increasing times, no older than the window.

    Resets are taken out as samples come in: what is kept never falls, so that samples in between can be left out.

    Args:
        seconds: How long a sample is kept.
        step: Seconds between two samples that are kept; the newest always is. 0: all are.
    """

    def __init__(self, seconds: float, step: float = 0.0) -> None:
        self._seconds, self._step = seconds, step
        self._samples: dict[Series, deque[tuple[float, float]]] = {}
        self._resets: dict[Series, tuple[float, float]] = {}
        """By series: its newest value as it was read, and how much it had counted before its resets."""

    def add(self, now: float, samples: Mapping[Series, float]) -> None:
        """Note the value of each series at `now` seconds."""
        for series, value in samples.items():
            newest, counted = self._resets.get(series, (value, 0.0))
            counted += newest if value < newest else 0.0
            self._resets[series] = (value, counted)
            kept = self._samples.setdefault(series, deque())
            if len(kept) > 1 and kept[-1][0] - kept[-2][0] < self._step:
                kept.pop()
            kept.append((now, value + counted))

    def expire(self, now: float) -> None:
        """Forget what is older than the window."""
        oldest = now - self._seconds
        for series in list(self._samples):
            samples = self._samples[series]
            while samples and samples[0][0] < oldest:
                samples.popleft()
            if not samples:
                del self._samples[series], self._resets[series]

    def increases(self, now: float, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The increase of each series of a metric over the window that ends at `now`, by its labels."""
        found = {}
        for (metric, labels), samples in self._samples.items():
            if metric == name and (value := increase(samples, now - self._seconds, now)) is not None:
                found[labels] = value
        return found


def increase(samples: deque[tuple[float, float]], start: float, end: float) -> float | None:
    """How much a counter grew between two times, as Prometheus' `increase` computes it.

    A fall is a reset: the counter began again at 0. What the first and last sample leave open at the ends of the window
    is extrapolated, by half a mean interval at most where the series seems to begin or end within the window, and never
    to below 0.

    Args:
        samples: Times and values in order, all within the window.
        start: Of the window, in seconds.
        end: Of the window.

    Returns:
        None where there are fewer than two samples.
    """
    if len(samples) < 2:
        return None
    first_time, first = samples[0]
    last_time, last = samples[-1]
    grown, before = last - first, first
    for _, value in samples:
        if value < before:
            grown += before
        before = value
    covered = last_time - first_time
    if covered <= 0:
        return None
    mean = covered / (len(samples) - 1)
    to_start, to_end = first_time - start, end - last_time
    if grown > 0 and first >= 0:
        to_start = min(to_start, covered * first / grown)
    near = mean * 1.1
    reach = covered + (to_start if to_start < near else mean / 2) + (to_end if to_end < near else mean / 2)
    return grown * reach / covered

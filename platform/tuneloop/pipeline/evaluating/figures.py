"""Each metric with its 95 % interval, by the BCa bootstrap over rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, Metric
from tuneloop.monitoring.accuracy.intervals import DRAWS, Interval, bias_corrected
from tuneloop.pipeline.comparing.comparison import Judged, take
from tuneloop.pipeline.evaluating.scoring import Scorer

Floats = NDArray[np.float64]

_SEED = 3
_PORTION = 2_000_000
"""Numbers drawn at once."""
_MOST_DRAWN = 4_000_000
"""Numbers drawn in all, where rows have little in common."""
_LEFT_OUT = 40
"""Groups of rows left out in turn, where leaving out each row takes too long; it only tells the skew."""
_MOST_WORK, _LEAST_DRAWS, _MOST_DRAWS = 4_000_000, 100, 400
"""Numbers that a metric which is no function of sums reads in all its draws: a fixed count, so that equal runs give
equal intervals, whatever the machine."""


def with_intervals(scorer: Scorer, judged: Judged) -> dict[str, Interval]:
    """Every metric of the project; one that has no value in most draws is left out.

    Args:
        scorer: Knows the metrics.
        judged: Predictions and references, row by row; at least two rows.
    """
    found = {}
    for name, metric in scorer.metrics.items():
        interval = metric_interval(metric, judged)
        if interval is not None:
            found[name] = interval
    return found


def interval_json(figures: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    """Figures as JSON values."""
    return {name: asdict(one) for name, one in figures.items()}


def metric_interval(metric: Metric, judged: Judged) -> Interval | None:
    """A metric with its interval; None where it has no value, or too few draws have one.

    Rows are what is drawn: the words of a text come and go together.
    """
    if len(judged[1]) < 2:
        return None
    try:
        value = float(metric.compute(*judged))
    except DataError:
        return None
    parts = metric.parts(*judged)
    drawn, without, weights = _of_parts(metric, parts) if parts is not None else _of_rows(metric, judged)
    drawn, kept = drawn[np.isfinite(drawn)], np.isfinite(without)
    if len(drawn) < _LEAST_DRAWS / 2 or not kept.any():
        return None
    found = bias_corrected(value, drawn, without[kept], weights[kept])
    # The value is a draw like any other; a skewed metric of few rows may leave it a hair outside.
    return Interval(value, min(found.low, value), max(found.high, value))


def _of_parts(metric: Metric, parts: Floats) -> tuple[Floats, Floats, Floats]:
    """The metric of each draw, with one row left out, and how many rows are like that one."""
    kinds, counts = np.unique(parts, axis=0, return_counts=True)
    generator = np.random.default_rng(_SEED)
    draws = int(np.clip(_MOST_DRAWN // len(kinds), _MOST_DRAWS, DRAWS))
    portion = max(1, _PORTION // len(kinds))
    drawn = []
    for start in range(0, draws, portion):
        # How often each kind of row is drawn, not which rows: then the sums of all draws are one matrix product.
        times = generator.multinomial(len(parts), counts / len(parts), size=min(portion, draws - start))
        drawn.append(metric.joined(times.astype(np.float64) @ kinds))
    return np.concatenate(drawn), metric.joined(parts.sum(axis=0) - kinds), counts.astype(np.float64)


def _of_rows(metric: Metric, judged: Judged) -> tuple[Floats, Floats, Floats]:
    rows = len(judged[1])
    scores = judged[0].scores
    work = rows if scores is None else scores.size
    draws = int(np.clip(_MOST_WORK // work, _LEAST_DRAWS, _MOST_DRAWS))
    generator = np.random.default_rng(_SEED)
    compute = _computing(metric, judged)
    drawn = np.array([compute(generator.integers(0, rows, rows)) for _ in range(draws)])
    groups = min(rows, _LEFT_OUT, draws // 2)
    group = generator.permutation(rows) % groups
    return drawn, np.array([compute(np.flatnonzero(group != one)) for one in range(groups)]), np.ones(groups)


def _computing(metric: Metric, judged: Judged) -> Callable[[NDArray[np.int64]], float]:
    def compute(at: NDArray[np.int64]) -> float:
        try:
            return float(metric.compute(*take(judged, at)))
        except DataError:
            # A draw without rows of a class may have no value.
            return float("nan")

    return compute

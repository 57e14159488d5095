"""The figures of one window at one moment, from what the servers expose: what the recording rules record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tuneloop.monitoring import metrics as names
from tuneloop.monitoring.formula import Drift, drift, wilson_upper
from tuneloop.monitoring.window import SampleWindow, Series


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Labelled answers of a window: share right, its upper bound, labels, and the share on the holdout."""

    share: float
    upper: float
    labels: float
    reference: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of one look: drift by (version, signal), accuracy by version, and signals watched by version."""

    drift: Mapping[tuple[str, str], Drift] = field(default_factory=dict)
    accuracy: Mapping[str, Accuracy] = field(default_factory=dict)
    signals: Mapping[str, int] = field(default_factory=dict)


def take_snapshot(window: SampleWindow, now: float, gauges: Mapping[Series, float]) -> Snapshot:
    """The figures of a window that ends at `now`.

    Args:
        window: Samples of the counters.
        now: Unix seconds.
        gauges: The newest value of each gauge, the largest over all servers; those not above 0 are retired.
    """
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
    seen = _summed(window, now, names.SIGNAL_OBSERVATIONS, ("version", "signal", "bin"))
    drifts = {}
    for (version, signal), ratios in expected.items():
        counts = np.array([seen.get((version, signal, one), 0.0) for one in ratios])
        found = drift(counts, np.array(list(ratios.values())), rows[version]) if version in rows else None
        if found is not None:
            drifts[version, signal] = found
    return Snapshot(drifts, _accuracy(window, now, scores), _signals(expected))


def _accuracy(window: SampleWindow, now: float, scores: Mapping[str, float]) -> dict[str, Accuracy]:
    outcomes = _summed(window, now, names.LABELS, ("version", "outcome"))
    turned = _summed(window, now, names.LABEL_CORRECTIONS, ("version", "change"))
    found = {}
    for version, reference in scores.items():
        right = outcomes.get((version, names.CORRECT), 0.0)
        total = right + outcomes.get((version, names.WRONG), 0.0)
        if total > 0:
            net = turned.get((version, names.TO_CORRECT), 0.0) - turned.get((version, names.TO_WRONG), 0.0)
            right = min(max(right + net, 0.0), total)
            found[version] = Accuracy(right / total, wilson_upper(right, total), total, reference)
    return found


def _signals(watched: Iterable[tuple[str, str]]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for version, _ in watched:
        counts[version] += 1
    return dict(counts)


def _summed(window: SampleWindow, now: float, metric: str, by: tuple[str, ...]) -> dict[tuple[str, ...], float]:
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    for pairs, value in window.increases(now, metric).items():
        labels = dict(pairs)
        sums[tuple(labels[name] for name in by)] += value
    return sums

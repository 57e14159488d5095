"""Other rules, each by its usual recipe. A score grows with the evidence; a rule alarms at its own limit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon
from tests.bench.drift.world import SIGNALS

Values = NDArray[Any]
_BINS = 10
_EMPTY = 1e-4
_SMALL = 1000
"""Up to so many reference rows Evidently's preset tests by p-value, above by distance."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A rule that looks at whole windows.

    Attributes:
        name: For people.
        score: Kind, reference and window to evidence.
        limit: Kind and reference rows to the score at which it alarms.
    """

    name: str
    score: Callable[[str, Values, Values], float]
    limit: Callable[[str, int], float]


def psi(kind: str, reference: Values, current: Values) -> float:
    """Population stability index over deciles of the reference, empty bins at 0.0001; no correction for rows."""
    if kind == "number":
        inner = np.unique(np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]))
        sides = [
            np.bincount(np.searchsorted(inner, side), minlength=len(inner) + 1) for side in _present(reference, current)
        ]
    else:
        sides = _category_counts(reference, current)
    shares = [np.maximum(side / side.sum(), _EMPTY) for side in sides]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def p_value(kind: str, reference: Values, current: Values) -> float:
    """Minus the p-value of Kolmogorov-Smirnov for numbers, of a chi-squared table for categories."""
    if kind == "number":
        return -float(stats.ks_2samp(*_present(reference, current), method="asymp").pvalue)
    return -float(stats.chi2_contingency(np.stack(_category_counts(reference, current))).pvalue)


def evidently(kind: str, reference: Values, current: Values) -> float:
    """What Evidently's `DataDriftPreset` computes by default; `evidently_check` checks it against Evidently itself.

    Up to 1,000 reference rows: minus the p-value of Kolmogorov-Smirnov or chi-squared. Above: the Wasserstein distance
    in standard deviations of the reference, or the Jensen-Shannon distance.
    """
    if kind == "number":
        before, now = _present(reference, current)
        if len(reference) <= _SMALL:
            return -float(stats.ks_2samp(before, now).pvalue)
        return float(stats.wasserstein_distance(before, now) / max(float(np.std(before)), 0.001))
    before, now = _category_counts(reference, current)
    if len(reference) <= _SMALL:
        with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
            warnings.simplefilter("ignore")
            return -float(stats.chisquare(now, before / before.sum() * now.sum()).pvalue)
    return float(jensenshannon(before / before.sum(), now / now.sum()))


def _present(*sides: Values) -> list[Values]:
    return [side[~np.isnan(side)] for side in sides]


def _category_counts(*sides: Values) -> list[NDArray[np.int64]]:
    known = np.unique(np.concatenate(sides))
    return [np.bincount(np.searchsorted(known, side), minlength=len(known)) for side in sides]


PEERS: tuple[Peer, ...] = (
    Peer("PSI > 0.1", psi, lambda kind, rows: 0.1),
    Peer("KS / chi-squared, Bonferroni .05", p_value, lambda kind, rows: -0.05 / len(SIGNALS)),
    Peer("Evidently's default preset", evidently, lambda kind, rows: -0.05 if rows <= _SMALL else 0.1),
)

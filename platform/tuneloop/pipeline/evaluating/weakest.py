"""The slices that are answered worst, and whether that is more than chance among so many that were looked at."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneloop.monitoring.offline.correction import holm
from tuneloop.pipeline.evaluating.candidates import Candidate
from tuneloop.pipeline.evaluating.wrong import Floats, Wrongness

ALPHA = 0.05
_SHOWN = 12
_ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class WeakSlice:
    """A slice that is answered worse than the rest of the rows.

    Attributes:
        by: What it is cut by.
        value: Which part it is.
        rows: Its size.
        error: What it gets wrong, in the unit of `Wrongness`.
        rest: The same of all other rows.
        p: One-sided p-value against "no worse than the rest", by Holm's correction for all slices looked at.
        positions: Its worst rows, as positions among the rows looked at.
    """

    by: str
    value: str
    rows: int
    error: float
    rest: float
    p: float
    positions: tuple[int, ...]

    @property
    def proven(self) -> bool:
        """Whether chance does not explain it."""
        return self.p <= ALPHA


def weakest(found: Sequence[Candidate], wrong: Wrongness) -> tuple[WeakSlice, ...]:
    """The slices that are worse than the rest, those first that chance explains least.

    Right and wrong answers are compared by Fisher's exact test, other errors by Welch's. Holm's correction holds for
    slices that overlap, as these do.

    Args:
        found: All slices that are looked at.
        wrong: How wrong each row's answer is.
    """
    if not found:
        return ()
    values = wrong.values
    chances = holm([_chance(values, one, counted=wrong.counted) for one in found])
    slices = [_slice(one, values, p) for one, p in zip(found, chances, strict=True)]
    worse = [one for one in slices if one.error > one.rest]
    worse.sort(key=lambda one: (one.p, one.rest - one.error, one.by, one.value))
    return tuple(worse[:_SHOWN])


def _slice(one: Candidate, values: Floats, p: float) -> WeakSlice:
    mine = np.flatnonzero(one.rows)
    order = mine[np.argsort(-values[mine], kind="stable")]
    order = order[values[order] > 0][:_ROWS_SHOWN]
    error, rest = float(values[one.rows].mean()), float(values[~one.rows].mean())
    return WeakSlice(one.by, one.value, len(mine), error, rest, p, tuple(order.tolist()))


def _chance(values: Floats, one: Candidate, *, counted: bool) -> float:
    # It has no types; scikit-learn brings it.
    stats = importlib.import_module("scipy.stats")
    inside, outside = values[one.rows], values[~one.rows]
    if counted:
        wrong = int(values.sum())
        return float(stats.hypergeom.sf(int(inside.sum()) - 1, len(values), wrong, len(inside)))
    if np.ptp(values) == 0:
        return 1.0
    found = stats.ttest_ind(inside, outside, equal_var=False, alternative="greater").pvalue
    return float(found) if np.isfinite(found) else 1.0

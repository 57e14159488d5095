"""From alarms to figures: how often without a change, how surely and how soon after one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Power:
    """How a rule found a change.

    Attributes:
        found: Trials with an alarm within the horizon.
        trials: All trials.
        delay: Median time to the alarm in windows, over all trials; infinite where most had none.
    """

    found: int
    trials: int
    delay: float

    @property
    def share(self) -> float:
        """Trials with an alarm, 0 to 1."""
        return self.found / self.trials


def episodes(alarms: NDArray[np.bool_]) -> int:
    """Alarms that began: a run of alarming evaluations counts once."""
    return int(alarms[0]) + int((alarms[1:] & ~alarms[:-1]).sum())


def power(delays: Sequence[float]) -> Power:
    """From the delay of each trial; infinite: no alarm within the horizon."""
    return Power(sum(math.isfinite(delay) for delay in delays), len(delays), float(np.median(delays)))


def first(alarms: NDArray[np.bool_], times: NDArray[Any]) -> float:
    """The time of the first alarm; infinite where there is none."""
    places = np.flatnonzero(alarms)
    return float(times[places[0]]) if len(places) else math.inf


def limit_for(best: Sequence[float], found: int) -> float:
    """The limit at which a rule finds at least `found` of the trials whose highest scores are `best`.

    Infinite for 0: a rule that never alarms does that.
    """
    return math.inf if found == 0 else sorted(best, reverse=True)[found - 1]


def share_above(best: Sequence[float], clean: NDArray[np.float64], allowed: int) -> float:
    """Trials found at a limit that all but `allowed` of the clean scores stay at or below."""
    limit = np.sort(clean)[::-1][min(allowed, len(clean) - 1)]
    return sum(score > limit for score in best) / len(best)


def upper(count: int, days: float) -> float:
    """The 95 % upper bound of a rate a day, after `count` events (exact Poisson)."""
    from scipy import stats

    return float(stats.chi2.ppf(0.95, 2 * count + 2) / 2 / days)

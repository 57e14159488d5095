"""What decides on an alarm, from plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tuneloop.api import ConfigError

LIMITS = ("zscore", "psi", "min_rows", "accuracy_drop", "min_labels")
"""Thresholds of `WatchValues` that are recorded, so that dashboards draw each project's own."""
CROWDED = 2
"""A window with so many times the rows it needs speaks for the longer ones too. Not 1: where traffic is just enough,
the short window drops out now and then, and the longer one must not wait anew each time it comes back."""
_SAMPLES = 4
"""Scrapes a window must hold for `increase` to mean something."""
_EVALUATIONS = 240
_LONGEST_INTERVAL = 120.0
"""Prometheus forgets a gauge five minutes after its last sample: one failed scrape must not blind the rules."""


@dataclass(frozen=True, slots=True)
class WatchValues:
    """What decides on an alarm. Times are in seconds.

    Attributes:
        model: The `model` label.
        window: Over which values and labels are counted; the shortest where there are several.
        min_rows: Values a window must hold before its drift is judged.
        psi: An alarm needs a population stability index above this: the change is large ...
        zscore: ... and a z score above this, corrected for all signals and windows: it is no accident.
        accuracy_drop: An alarm needs an upper bound of accuracy below the holdout's by more than this.
        min_labels: Labels a window must hold before its accuracy is judged.
        scrape_interval: Between two looks at the counters, and between two evaluations.
        grafana: Where people reach Grafana; alerts then carry `dashboard_url`.
        runbook: A page that says what to do; alerts then carry it as `runbook_url`.
        longer: More windows, each longer than the one before. The shortest that holds enough rows is judged, so that
            much traffic is judged soon and little traffic at all.
    """

    model: str
    window: float
    min_rows: int = 1000
    psi: float = 0.05
    zscore: float = 3.0
    accuracy_drop: float = 0.02
    min_labels: int = 200
    scrape_interval: float = 15.0
    grafana: str = ""
    runbook: str = ""
    longer: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.scrape_interval > _LONGEST_INTERVAL:
            raise ConfigError([f"the scrape interval {self.scrape_interval:g} s is above {_LONGEST_INTERVAL:g} s"])
        if not 0 < self.scrape_interval * _SAMPLES <= self.window < math.inf:
            raise ConfigError(
                [
                    f"monitor.window is {self.window:g} s and the scrape interval {self.scrape_interval:g} s: "
                    f"a window must hold at least {_SAMPLES} scrapes"
                ]
            )
        if list(self.windows) != sorted(set(self.windows)) or self.windows[-1] == math.inf:
            raise ConfigError([f"monitor.window: {self.windows} seconds are not in order, each longer than the last"])

    @property
    def windows(self) -> tuple[float, ...]:
        """All windows, the shortest first."""
        return (self.window, *self.longer)

    def at(self, window: float) -> WatchValues:
        """The same with one window alone."""
        return replace(self, window=window, longer=())

    @property
    def evaluation_interval(self) -> float:
        """Seconds between two evaluations of the rules of `window`: 240 in a window, no more than scrapes."""
        return min(max(self.scrape_interval, self.window / _EVALUATIONS), _LONGEST_INTERVAL)

    @property
    def hold(self) -> float:
        """Seconds a condition must last before it alarms: a quarter of the window."""
        return self.window / 4


def suggested_interval(window: float) -> float:
    """A scrape interval in seconds for a window: 40 to 240 scrapes, where that is between a second and two minutes."""
    wanted = max(min(15.0, window / 40), window / 240, min(1.0, window / _SAMPLES))
    return min(wanted, _LONGEST_INTERVAL)

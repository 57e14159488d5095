"""Three replicas and what happens to them, as samples; and the figures of a window, by the formulas and not by PromQL.

Times are in scrapes. A sample that is None was not taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.unit.monitoring.rules.promtool import BINS, RATIOS, Series, labels

from tuneloop.monitoring.formula import Drift, drift
from tuneloop.monitoring.window import increase

SCRAPE = 15.0
LENGTH = 160
"""Scrapes of a scenario: 40 minutes."""
REFERENCE_ROWS = 2000
SHIFTED = (0.3, 0.5, 0.1, 0.1)

Samples = list[float | None]


@dataclass(frozen=True)
class Replica:
    """Samples of the counter of each bin, `[bins][LENGTH]`, and of the reference's gauges, as a factor 1 or 0."""

    version: str
    counts: tuple[Samples, ...]
    live: Samples
    ratios: tuple[float, ...] = RATIOS


def replica(
    random: np.random.Generator,
    rows: float,
    *,
    version: str = "1",
    shares: tuple[float, ...] = RATIOS,
    ratios: tuple[float, ...] = RATIOS,
    born: int = 0,
    gone: int = LENGTH,
    resets: tuple[int, ...] = (),
    idle: tuple[int, int] = (0, 0),
    retired: int = LENGTH,
) -> Replica:
    """A replica with a Poisson number of rows a scrape.

    Args:
        random: Draws the rows.
        rows: Mean rows a scrape.
        version: The version it serves.
        shares: Where its values go.
        ratios: Where those of the reference went.
        born: First scrape; its counters are 0 then.
        gone: First scrape that is not taken any more.
        resets: Scrapes at which its counters have begun again at 0.
        idle: Scrapes without traffic, from the first up to the second.
        retired: Scrape from which its reference is 0.
    """
    seen = random.poisson(np.array(shares) * rows, (LENGTH, len(BINS))).astype(float)
    seen[: born + 1] = 0
    seen[idle[0] : idle[1]] = 0
    for reset in resets:
        # What was counted since the last scrape is lost with the process; the new one counts from 0.
        seen[reset] = -np.inf
    totals = np.zeros_like(seen)
    for at in range(1, LENGTH):
        totals[at] = np.where(np.isinf(seen[at]), 0, totals[at - 1] + seen[at])
    there = [born <= at < gone for at in range(LENGTH)]
    return Replica(
        version,
        tuple([float(totals[at, place]) if there[at] else None for at in range(LENGTH)] for place in range(len(BINS))),
        [(0.0 if at >= retired else 1.0) if there[at] else None for at in range(LENGTH)],
        ratios,
    )


def series(replicas: Mapping[str, Replica]) -> Series:
    """The replicas, by instance, as promtool reads them."""
    found: Series = []
    for instance, one in replicas.items():
        own = {"model": "desk", "version": one.version, "instance": instance}
        rows = [None if live is None else live * REFERENCE_ROWS for live in one.live]
        found.append({"series": f"tuneloop_signal_reference_rows{labels(**own)}", "values": _text(rows)})
        for name, ratio, samples in zip(BINS, one.ratios, one.counts, strict=True):
            each = labels(**own, signal="age", bin=name)
            gauge = [None if live is None else live * ratio for live in one.live]
            found.append({"series": f"tuneloop_signal_reference_ratio{each}", "values": _text(gauge)})
            found.append({"series": f"tuneloop_signal_observations_total{each}", "values": _text(samples)})
    return found


def figures(replicas: Mapping[str, Replica], version: str, at: int, window: float) -> Drift | None:
    """What the rules should record at a scrape; None where the window is empty, or no replica's reference is live."""
    mine = [one for one in replicas.values() if one.version == version]
    if not any(one.live[at] for one in mine):
        return None
    now = at * SCRAPE
    grown: NDArray[np.float64] = np.zeros(len(BINS))
    for one in mine:
        for place, samples in enumerate(one.counts):
            pairs = ((step * SCRAPE, value) for step, value in enumerate(samples) if value is not None)
            held = deque((time, value) for time, value in pairs if now - window <= time <= now)
            grown[place] += increase(held, now - window, now) or 0.0
    return drift(grown, np.array(mine[0].ratios), REFERENCE_ROWS)


def _text(samples: Samples) -> str:
    return " ".join("_" if value is None else f"{value:g}" if value % 1 else f"{value:.0f}" for value in samples)

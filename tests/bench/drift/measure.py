"""Play a world: clean days, then streams in which one signal changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.bench.drift import online
from tests.bench.drift.peers import PEERS
from tests.bench.drift.score import Power, episodes, first, limit_for, power, share_above
from tests.bench.drift.world import CHANGES, SIGNALS, Change, SignalKind, World, signal

from tuneloop.monitoring.offline.marginal import compare
from tuneloop.monitoring.offline.samples import Sample

WINDOWS_A_DAY = 24
HORIZON = 6
"""Windows after a change within which an alarm counts."""
OURS = "Tuneloop's alert"
LIMITS = {
    OURS: (online.RULES.psi, online.RULES.zscore),
    "psi: 0.02": (0.02, online.RULES.zscore),
    "psi: 0.01": (0.01, online.RULES.zscore),
    "psi: 0, zscore: 2": (0.0, 2.0),
}
"""The alert by the project's `psi` and `zscore`: how large a change must be, and how certain."""
NOMINAL = 1.6449
"""The z score of a one-sided test at .05."""
_OFFLINE = 400


@dataclass(eq=False)
class Clean:
    """What was seen on clean days: evaluations, alarms and scores, by rule."""

    days: int
    nominal: dict[str, list[bool]] = field(default_factory=dict)
    alarms: dict[str, int] = field(default_factory=dict)
    windows: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    scores: dict[tuple[str, str], list[NDArray[np.float64]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Equal:
    """Rules whose limit was moved, so that they can be compared; signals of the changed one's kind are counted.

    Attributes:
        ours: False alarms a day of the alert rules; NaN where they did not find the change.
        others: The same of each other rule, where it finds as many changes as the alert rules do.
        silent: Share of changes each other rule finds, where it alarms as rarely without one as the alert rules do.
    """

    ours: float
    others: dict[str, float]
    silent: dict[str, float]


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """All figures of a world; `offline` holds p-values of the offline test on clean windows."""

    world: World
    clean: Clean
    offline: list[float]
    power: dict[str, dict[str, Power]]
    equal: dict[str, Equal]


def measure(world: World, seed: int, told: Callable[[str], None]) -> Result:
    """Play a world.

    Args:
        world: What is played.
        seed: Of everything drawn.
        told: Hears how far it is.
    """
    random = np.random.default_rng(seed)
    clean, offline = watch_clean(world, random, told)
    powers: dict[str, dict[str, Power]] = {}
    equal: dict[str, Equal] = {}
    for change in CHANGES:
        delays, best = play_change(world, change, random)
        powers[change.name] = {rule: power(found) for rule, found in delays.items()}
        equal[change.name] = _equal(clean, change, powers[change.name][OURS].found, best)
        told(f"{change.name}: found by {powers[change.name][OURS].found} of {world.trials}")
    return Result(world, clean, offline, powers, equal)


def watch_clean(world: World, random: np.random.Generator, told: Callable[[str], None]) -> tuple[Clean, list[float]]:
    """Days without a change, each with its own reference."""
    clean, offline = Clean(world.days), []
    rules = (*LIMITS, *(peer.name for peer in PEERS))
    clean.windows = {rule: np.zeros((world.days, WINDOWS_A_DAY, len(SIGNALS)), dtype=bool) for rule in rules}
    clean.nominal, clean.alarms = {OURS: []}, dict.fromkeys(rules, 0)
    for day in range(world.days):
        for place, kind in enumerate(SIGNALS):
            reference = kind.draw(random, world.reference_rows)
            # One window before the day fills the first sliding window.
            steps = _steps(kind, world, random, (WINDOWS_A_DAY + 1) * online.STEPS)
            bins = online.make_bins(kind.kind, reference)
            found = online.figures(bins, online.slide(np.stack([online.count(bins, step) for step in steps])))[1:]
            for rule, limits in LIMITS.items():
                fires = online.firing(np.array([online.holds(one, *limits) for one in found]))
                clean.alarms[rule] += episodes(fires)
                clean.windows[rule][day, :, place] = fires.reshape(WINDOWS_A_DAY, online.STEPS).any(axis=1)
            clean.nominal[OURS] += [one.zscore > NOMINAL for one in found[online.STEPS - 1 :: online.STEPS]]
            windows = _whole(steps[online.STEPS :])
            for peer in PEERS:
                scores = np.array([peer.score(kind.kind, reference, window) for window in windows])
                alarming = scores >= peer.limit(kind.kind, world.reference_rows)
                clean.scores.setdefault((peer.name, kind.kind), []).append(scores)
                clean.windows[peer.name][day, :, place] = alarming
                clean.alarms[peer.name] += episodes(alarming)
            if len(offline) < _OFFLINE:
                sample = Sample(f"{kind.name} {day}", kind.kind, _held(kind, reference), _held(kind, windows[0]))
                offline.append(compare(sample).pvalue)
        if day % 10 == 9:
            told(f"{world.name}: {day + 1} of {world.days} clean days")
    return clean, offline


def play_change(
    world: World, change: Change, random: np.random.Generator
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Streams of the signal that changes at a random moment.

    Returns:
        By rule, the delay of each trial in windows; and by rule that looks at whole windows, its highest score after
        the change.
    """
    kind = signal(change.signal)
    delays: dict[str, list[float]] = {rule: [] for rule in (*LIMITS, *(peer.name for peer in PEERS))}
    best: dict[str, list[float]] = {peer.name: [] for peer in PEERS}
    total = (HORIZON + 2) * online.STEPS
    for _ in range(world.trials):
        reference = kind.draw(random, world.reference_rows)
        bins = online.make_bins(kind.kind, reference)
        steps = _steps(kind, world, random, total)
        # The change falls anywhere within the second window: a rule of whole windows cannot know where.
        begins = online.STEPS + int(random.integers(online.STEPS))
        steps = [step if place < begins else change.change(random, step) for place, step in enumerate(steps)]
        found = online.figures(bins, online.slide(np.stack([online.count(bins, step) for step in steps])))
        ends = (np.arange(online.STEPS, total + 1) - begins) / online.STEPS
        within = (ends > 0) & (ends <= HORIZON)
        for rule, limits in LIMITS.items():
            fires = online.firing(np.array([online.holds(one, *limits) for one in found]))
            delays[rule].append(first(fires[within], ends[within]))
        ends = (np.arange(1, HORIZON + 3) * online.STEPS - begins) / online.STEPS
        within = (ends > 0) & (ends <= HORIZON)
        windows = [window for window, after in zip(_whole(steps), within, strict=True) if after]
        for peer in PEERS:
            scores = np.array([peer.score(kind.kind, reference, window) for window in windows])
            alarming = scores >= peer.limit(kind.kind, world.reference_rows)
            delays[peer.name].append(first(alarming, ends[within]))
            best[peer.name].append(float(scores.max()))
    return delays, best


def _equal(clean: Clean, change: Change, found: int, best: dict[str, list[float]]) -> Equal:
    kind = signal(change.signal).kind
    same = [place for place, one in enumerate(SIGNALS) if one.kind == kind]
    ours = sum(episodes(clean.windows[OURS][day, :, place]) for day in range(clean.days) for place in same)
    others, silent = {}, {}
    for name, scores in best.items():
        limit = limit_for(scores, found)
        calm = clean.scores[name, kind]
        others[name] = sum(episodes(one >= limit) for one in calm) / clean.days if found else math.nan
        silent[name] = share_above(scores, np.concatenate(calm), ours)
    return Equal(ours / clean.days if found else math.nan, others, silent)


def _steps(kind: SignalKind, world: World, random: np.random.Generator, steps: int) -> list[NDArray[Any]]:
    """The rows of each step; how many come is Poisson."""
    arrivals = random.poisson(world.window_rows / online.STEPS, steps)
    return np.split(kind.draw(random, int(arrivals.sum())), np.cumsum(arrivals)[:-1])


def _whole(steps: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Whole windows, one after the other."""
    return [np.concatenate(steps[start : start + online.STEPS]) for start in range(0, len(steps), online.STEPS)]


def _held(kind: SignalKind, values: NDArray[Any]) -> NDArray[Any]:
    return values if kind.kind == "number" else values.astype(str).astype(object)

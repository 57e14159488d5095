"""What is drawn: twenty signals, the ways one of them changes, and how much traffic there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Draw = Callable[[np.random.Generator, int], Values]

CATEGORIES = 8
"""The values 0 to 7, Zipf distributed; a category is held as its number."""
UNSEEN = 99


@dataclass(frozen=True, slots=True)
class SignalKind:
    """One signal of a world: numbers as `float64`, categories as `int64`."""

    name: str
    kind: Literal["number", "category"]
    draw: Draw


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one signal: `change` gets a clean sample and gives the changed one."""

    name: str
    signal: str
    change: Callable[[np.random.Generator, Values], Values]


@dataclass(frozen=True, slots=True)
class World:
    """Traffic and reference.

    Attributes:
        name: For people.
        reference_rows: Rows of the holdout.
        window_rows: Mean rows a window of one hour; arrivals are Poisson.
        days: Clean days that are watched, each with a reference of its own.
        trials: Streams with a change, for each change.
    """

    name: str
    reference_rows: int
    window_rows: int
    days: int
    trials: int


def _zipf(random: np.random.Generator, rows: int) -> Values:
    weights = 1 / np.arange(1, CATEGORIES + 1)
    return random.choice(CATEGORIES, rows, p=weights / weights.sum())


_SHAPES: dict[str, Draw] = {
    "normal": lambda random, rows: random.standard_normal(rows),
    "lognormal": lambda random, rows: random.lognormal(0.0, 1.0, rows),
    "student": lambda random, rows: random.standard_t(3, rows),
    "poisson": lambda random, rows: random.poisson(3.0, rows).astype(np.float64),
}
SIGNALS: tuple[SignalKind, ...] = (
    *(SignalKind(f"{name}_{i}", "number", draw) for name, draw in _SHAPES.items() for i in range(4)),
    *(SignalKind(f"category_{i}", "category", _zipf) for i in range(4)),
)


def _shift(sigma: float) -> Change:
    return Change(f"shift {sigma:g} sigma", "normal_0", lambda _, values: values + sigma)


def _some(share: float, value: float) -> Callable[[np.random.Generator, Values], Values]:
    def change(random: np.random.Generator, values: Values) -> Values:
        changed = values.copy()
        changed[random.random(len(values)) < share] = value
        return changed

    return change


def _scale_some(random: np.random.Generator, values: Values) -> Values:
    return np.where(random.random(len(values)) < 0.1, values * 100, values)


CHANGES: tuple[Change, ...] = (
    *(_shift(sigma) for sigma in (0.1, 0.25, 0.5, 1.0)),
    Change("10 % nulls", "normal_0", _some(0.1, np.nan)),
    Change("unseen category, 10 %", "category_0", _some(0.1, UNSEEN)),
    Change("scale bug, all rows x10", "lognormal_0", lambda _, values: values * 10),
    Change("scale bug, 10 % of rows x100", "lognormal_0", _scale_some),
)

WORLDS: tuple[World, ...] = (
    World("2,000 rows an hour, reference 5,000", 5_000, 2_000, 50, 80),
    World("20,000 rows an hour, reference 5,000", 5_000, 20_000, 6, 40),
    World("2,000 rows an hour, reference 1,000", 1_000, 2_000, 25, 80),
)


def signal(name: str) -> SignalKind:
    """A signal by its name."""
    return next(found for found in SIGNALS if found.name == name)

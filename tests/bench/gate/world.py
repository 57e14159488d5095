"""Challengers drawn beside one champion, and the rules that judge them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneloop.config.project import Proof
from tuneloop.pipeline.comparing.comparison import Comparison, compare_rights
from tuneloop.pipeline.comparing.proof import Question, better, not_worse

CHAMPION = 0.9
"""Share of rows that the champion answers right."""
DIFFERING = 0.06
"""Share of rows that two trainings of equal worth answer differently right; a gain adds to it."""


@dataclass(frozen=True)
class World:
    """Rows that champion and challengers are judged on.

    Attributes:
        rows: Their number.
        gain: How much better each challenger truly is.
        fresh: Whether each attempt sees rows of its own, as new labelled ones are; else the same, as a holdout is.
    """

    rows: int
    gain: float
    fresh: bool

    def attempts(self, generator: np.random.Generator, number: int) -> list[Comparison]:
        """So many challengers, each against the same champion."""
        champion = self._champion(generator)
        found = []
        for _ in range(number):
            if self.fresh:
                champion = self._champion(generator)
            found.append(compare_rights("accuracy", champion, self._challenger(generator, champion)))
        return found

    def _champion(self, generator: np.random.Generator) -> NDArray[np.bool_]:
        return generator.random(self.rows) < CHAMPION

    def _challenger(self, generator: np.random.Generator, champion: NDArray[np.bool_]) -> NDArray[np.bool_]:
        won, lost = (DIFFERING / 2 + max(0.0, sign * self.gain) for sign in (1, -1))
        drawn = generator.random(self.rows)
        turned = np.where(champion, drawn < lost / CHAMPION, drawn < won / (1 - CHAMPION))
        return champion ^ turned


Rule = Callable[[Comparison, int], bool]
"""Whether a challenger passes, given the number of the attempt, from 1."""


def naive(found: Comparison, _: int) -> bool:
    """Any gain at all."""
    return found.gain > 0


def each_at_alpha(found: Comparison, _: int) -> bool:
    """Proven better at level 0.05, every time anew."""
    return found.p_better(0.05) <= 0.05


def proven(found: Comparison, attempt: int) -> bool:
    """`superiority`: proven better, at the level of the attempt."""
    return better(Question(Proof(superiority="recent"), 0.0, attempt), "", found).passed


def by_estimate(margin: float) -> Rule:
    """`prove: worse` with this margin."""
    return lambda found, attempt: not_worse(Question(Proof(), margin, attempt), "", found).passed


def ruled_out(margin: float) -> Rule:
    """`prove: not-worse` with this margin."""
    return lambda found, attempt: not_worse(Question(Proof(prove="not-worse"), margin, attempt), "", found).passed


SUPERIORITY: dict[str, Rule] = {"any gain": naive, "p <= .05 each time": each_at_alpha, "superiority, spent": proven}


def passes(world: World, rule: Rule, generator: np.random.Generator, attempts: int) -> bool:
    """Whether any of so many attempts passes; the first that does ends it."""
    found = world.attempts(generator, attempts)
    return any(rule(one, place) for place, one in enumerate(found, 1))


def share(world: World, rule: Rule, *, attempts: int, trials: int, seed: int) -> float:
    """The share of trials in which any attempt passes."""
    generator = np.random.default_rng([seed, world.rows, round(1000 * world.gain) + 1000, world.fresh, attempts])
    return sum(passes(world, rule, generator, attempts) for _ in range(trials)) / trials

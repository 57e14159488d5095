"""A search over a made-up function: real studies in a real database, and no training."""

from __future__ import annotations

import pytest

from tuneloop.api import Outcome
from tuneloop.config.search import Choice, Search, Span
from tuneloop.pipeline.searching.study import Driver, Plan

pytest.importorskip("optuna")

SPACE = {"tune.rate": Span(1e-4, 1.0, log=True), "tune.size": Choice((8, 16, 32)), "tune.depth": Span(1, 5)}


def quality(values):
    """Best at a rate of 0.1 and a size of 16; the depth hardly matters."""
    import math

    rate, size = values.get("tune.rate", 0.1), values.get("tune.size", 16)
    return 1 - abs(math.log10(rate) + 1) / 4 - abs(size - 16) / 64 + values.get("tune.depth", 1) / 1000


def answer(value=None, state="complete", **more):
    return {"state": state, "value": value, "epochs": 3, "seconds": 0.1, "reason": "", "folders": [], **more}


class World:
    """Runs trials, and remembers what was asked of it."""

    def __init__(self, answer_to=None):
        self.done, self.told, self.dropped = [], [], []
        self.answer_to = answer_to or (lambda argument: answer(quality(argument["values"])))

    def run_many(self, arguments, parallel):
        batch = []
        for position, argument in enumerate(arguments):
            batch.append((position, argument))
            if len(batch) < parallel:
                continue
            yield self._outcome(*batch.pop(0))
        for one in batch:
            yield self._outcome(*one)

    def _outcome(self, position, argument):
        self.done.append(argument["values"])
        found = self.answer_to(argument)
        return found if isinstance(found, Outcome) else Outcome(position, found)

    def plan(self, folder, search, *, own=None, check=lambda values: None, applies=lambda v, p, x: True, **more):
        return Plan(
            **{
                "search": search,
                "name": "desk-search",
                "url": f"sqlite:///{folder / 'search.db'}",
                "metric": "accuracy",
                "maximize": True,
                "own": {} if own is None else own,
                "argument": {"root": "here"},
                "check": check,
                "applies": applies,
                "told": self.told.append,
                "drop": self.dropped.extend,
                **more,
            }
        )


@pytest.fixture
def world():
    return World()


@pytest.fixture
def worlds():
    return World


@pytest.fixture
def answered():
    return answer


@pytest.fixture
def search():
    def make(**more):
        return Search(**{"space": SPACE, "trials": 12, "prune": "none", **more})

    return make


@pytest.fixture
def drive():
    """Does a search, and gives its trials."""

    def run(plan, run_many):
        with Driver(plan) as driver:
            return driver.run(run_many)

    return run

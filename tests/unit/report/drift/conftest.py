from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tuneloop.monitoring.offline.study import Settings
from tuneloop.report.drift import DriftReport
from tuneloop.report.drift.tables import compare_tables

Table = dict[str, Sequence[Any]]


def make_table(rows: int, seed: int, shift: float = 0.0) -> Table:
    random = np.random.default_rng(seed)
    return {
        "id": [f"{seed}-{i}" for i in range(rows)],
        "size": (random.standard_normal(rows) + shift).tolist(),
        "colour": random.choice(["red", "green", "blue"], rows).tolist(),
    }


@pytest.fixture
def table() -> Callable[..., Table]:
    """Makes a table of an identifier, a number and a category."""
    return make_table


@pytest.fixture(scope="session")
def drifted() -> DriftReport:
    """A report on a shift by two standard deviations."""
    settings = Settings(permutations=39, telling=3)
    return compare_tables(("old.csv", make_table(120, 1)), ("new.csv", make_table(150, 2, 2.0)), settings)


@pytest.fixture
def report_of() -> Callable[..., DriftReport]:
    """Makes a report on two tables, without the joint test."""

    def make(reference: Table, current: Table, **options: Any) -> DriftReport:
        return compare_tables(("a", reference), ("b", current), Settings(permutations=0), **options)

    return make

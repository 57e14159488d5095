"""Portuguese wines: red ones, then white ones."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from tests.drifts.replay import WINDOW, Table, data, first_alarms, select


@pytest.fixture(scope="module")
def wines() -> dict[str, Table]:
    with data("wine_quality/wine_quality.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in ("color", "quality")]
    found = {}
    for colour in ("red", "white"):
        chosen = [row for row in rows if row["color"] == colour]
        order = np.random.default_rng(0).permutation(len(chosen))
        found[colour] = select({name: np.array([float(row[name]) for row in chosen]) for name in names}, order)
    return found


def test_more_white_wine_is_silent(wines: dict[str, Table]) -> None:
    rows = np.arange(len(wines["white"]["alcohol"]))
    assert first_alarms(select(wines["white"], rows[:2000]), select(wines["white"], rows[2000:])) == {}


def test_white_after_red_is_noticed_in_every_column_at_once(wines: dict[str, Table]) -> None:
    found = first_alarms(wines["red"], wines["white"])
    assert set(found) == set(wines["red"])
    assert max(found.values()) < 1.5 * WINDOW


def test_the_change_from_red_to_white_needs_a_part_of_a_window(wines: dict[str, Table]) -> None:
    rows = np.arange(len(wines["white"]["alcohol"]))
    calm = select(wines["white"], rows[-WINDOW:])
    stream = {name: np.concatenate([values, wines["red"][name]]) for name, values in calm.items()}
    found = first_alarms(select(wines["white"], rows[:3000]), stream)
    assert min(found.values()) < 1.5 * WINDOW
    assert all(when > WINDOW for when in found.values())

"""Bicycles hired in Washington, by the hour: people hire more in 2012 than in 2011, on the same streets."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from tests.drifts.replay import WINDOW, Table, data, first_alarms, select

NUMBERS = ("temp", "humidity", "windspeed", "casual", "registered")
CATEGORIES = ("season", "holiday", "workingday", "weather")


@pytest.fixture(scope="module")
def years() -> dict[str, Table]:
    with data("bike_sharing/bikeshare.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = {}
    for year in ("2011", "2012"):
        chosen = [row for row in rows if row["datetime"].startswith(year)]
        # Seasons are no drift here: both years are seen in mixed order.
        order = np.random.default_rng(0).permutation(len(chosen))
        table = {name: np.array([float(row[name]) for row in chosen]) for name in NUMBERS}
        table |= {name: np.array([row[name] for row in chosen]) for name in CATEGORIES}
        found[year] = select(table, order)
    return found


def test_the_rest_of_2011_is_silent(years: dict[str, Table]) -> None:
    rows = np.arange(len(years["2011"]["temp"]))
    assert first_alarms(select(years["2011"], rows[:2700]), select(years["2011"], rows[2700:])) == {}


def test_2012_is_noticed_by_those_who_hire(years: dict[str, Table]) -> None:
    rows = np.arange(2700)
    found = first_alarms(select(years["2011"], rows), years["2012"])
    assert found["registered"] < 2 * WINDOW
    assert not {"holiday", "workingday", "windspeed"} & set(found)


def test_after_the_turn_of_the_year_it_takes_less_than_a_window(years: dict[str, Table]) -> None:
    rows = np.arange(len(years["2011"]["temp"]))
    before = select(years["2011"], rows[-WINDOW:])
    stream = {name: np.concatenate([values, years["2012"][name]]) for name, values in before.items()}
    found = first_alarms(select(years["2011"], rows[:2700]), stream)
    assert WINDOW < found["registered"] < 2 * WINDOW

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.bench.drift import measure, world
from tests.bench.drift.evidently_check import VARIABLE, check
from tests.bench.drift.table import as_json, markdown


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> world.World:
    few = (world.signal("normal_0"), world.signal("lognormal_0"), world.signal("category_0"))
    monkeypatch.setattr(measure, "SIGNALS", few)
    monkeypatch.setattr(measure, "WINDOWS_A_DAY", 3)
    return replace(world.WORLDS[0], days=1, trials=2)


def test_a_small_world_is_played_and_told(small: world.World) -> None:
    told: list[str] = []
    result = measure.measure(small, 1, told.append)
    powers = result.power
    assert powers["shift 1 sigma"][measure.OURS].share == 1
    assert powers["10 % nulls"][measure.OURS].share == 1
    assert powers["scale bug, all rows x10"]["PSI > 0.1"].share == 1
    assert 0 < powers["shift 1 sigma"][measure.OURS].delay < 2
    assert result.clean.alarms[measure.OURS] == 0
    assert len(result.clean.nominal[measure.OURS]) == 3 * 3
    assert len(told) == len(world.CHANGES)
    text = markdown([result], None)
    assert all(change.name in text for change in world.CHANGES)
    assert "not checked against the program" in text
    figures = as_json([result], None, 1)["worlds"][0]
    assert figures["power"]["shift 1 sigma"][measure.OURS]["share"] == 1


def test_without_an_environment_evidently_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert check(1) is None


@pytest.mark.parametrize("change", world.CHANGES, ids=lambda change: change.name)
def test_every_change_changes_the_sample_and_leaves_the_clean_one(change: world.Change) -> None:
    random = np.random.default_rng(0)
    values = world.signal(change.signal).draw(random, 1000)
    before = values.copy()
    changed = change.change(random, values)
    np.testing.assert_array_equal(values, before)
    assert changed.shape == values.shape
    assert (changed != values).mean() > 0.05

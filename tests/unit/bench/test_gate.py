"""The gate benchmark draws what it says, and prints its tables."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench.gate.__main__ import lines
from tests.bench.gate.world import CHAMPION, DIFFERING, World


@pytest.mark.parametrize("gain", [-0.05, 0.0, 0.02])
@pytest.mark.parametrize("fresh", [True, False])
def test_challengers_gain_what_they_should(gain: float, fresh: bool) -> None:
    found = World(20_000, gain, fresh).attempts(np.random.default_rng(1), 8)
    assert np.mean([one.gain for one in found]) == pytest.approx(gain, abs=0.004)
    assert np.mean([one.champion for one in found]) == pytest.approx(CHAMPION, abs=0.008)
    differing = np.mean([(one.known.won + one.known.lost) / one.rows for one in found])  # type: ignore[union-attr]
    assert differing == pytest.approx(DIFFERING + abs(gain), abs=0.004)


def test_the_tables_have_a_row_for_each_case() -> None:
    text = list(lines(trials=1, seed=1))
    assert sum(line.startswith("| 5,000 |") for line in text) == 2 + 2 + 4

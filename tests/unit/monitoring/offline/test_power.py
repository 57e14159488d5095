from __future__ import annotations

import math

import numpy as np
import pytest

from tuneloop.monitoring.offline.marginal import compare
from tuneloop.monitoring.offline.power import SEEN, detectable_psi, shift
from tuneloop.monitoring.offline.samples import Sample


def test_more_rows_and_a_milder_level_see_smaller_changes() -> None:
    assert detectable_psi(1000, 1000, 10, 0.05) < detectable_psi(100, 1000, 10, 0.05)
    assert detectable_psi(1000, 1000, 10, 0.05) < detectable_psi(1000, 1000, 10, 0.001)
    assert detectable_psi(1000, 1000, 4, 0.05) < detectable_psi(1000, 1000, 10, 0.05)
    assert detectable_psi(0, 1000, 10, 0.05) == math.inf


def test_a_shift_that_should_be_seen_four_times_in_five_is() -> None:
    """Bins see a little less of a shift than its PSI says."""
    rows = 400
    moved = shift(detectable_psi(rows, rows, 10, 0.05))
    random = np.random.default_rng(5)
    found = [
        compare(Sample(str(i), "number", random.standard_normal(rows), random.standard_normal(rows) + moved), draws=399)
        for i in range(100)
    ]
    assert sum(test.pvalue <= 0.05 for test in found) / len(found) == pytest.approx(SEEN, abs=0.16)

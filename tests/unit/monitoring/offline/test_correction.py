from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.monitoring.offline.correction import holm


def test_the_example_of_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_it_lies_between_no_correction_and_bonferroni_and_keeps_the_order(pvalues: list[float]) -> None:
    adjusted = holm(pvalues)
    for raw, corrected in zip(pvalues, adjusted, strict=True):
        assert raw <= corrected <= min(1.0, len(pvalues) * raw) + 1e-12
    order = np.argsort(pvalues, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()

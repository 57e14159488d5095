from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tuneloop.monitoring.offline.auc import auc, mean_error, standard_error


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_it_is_the_area_that_others_compute(rows: list[tuple[int, bool]]) -> None:
    scores, positive = (np.array(column) for column in zip(*rows, strict=True))
    if 0 < positive.sum() < len(positive):
        assert auc(scores, positive.astype(int)) == pytest.approx(roc_auc_score(positive, scores))


def test_the_error_is_the_spread_of_repeated_samples() -> None:
    random = np.random.default_rng(0)
    positive = np.repeat([0, 1], [150, 100])
    samples = [random.standard_normal(250) + positive * 0.5 for _ in range(400)]
    spread = np.std([auc(scores, positive) for scores in samples])
    assert np.mean([standard_error(scores, positive) for scores in samples[:50]]) == pytest.approx(spread, rel=0.15)


def test_the_error_of_a_mean() -> None:
    assert mean_error([0.3, 0.4]) == pytest.approx(0.25)

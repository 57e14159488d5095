from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA

from tuneloop.api import DataError
from tuneloop.preprocessing.components import Components


@pytest.fixture
def values() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 3)) @ rng.normal(size=(3, 6)) + 0.1 * rng.normal(size=(200, 6)) + 5


@pytest.mark.parametrize("wanted", [2, 6, 0.9, 0.999])
def test_they_are_those_of_scikit_learn(values: np.ndarray, wanted: float) -> None:
    oracle = PCA(wanted, whiten=True, svd_solver="full").fit(values)
    found = Components.fit(values, wanted)
    assert len(found.directions) == oracle.n_components_
    assert found.share == pytest.approx(oracle.explained_variance_ratio_.sum())
    # scikit-learn divides by n - 1.
    expected = oracle.transform(values) * np.sqrt(200 / 199)
    np.testing.assert_allclose(np.abs(found.of(values)), np.abs(expected), rtol=1e-6, atol=1e-8)


def test_what_cannot_be_had_is_refused(values: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"7 components of 6 numeric columns in 200 rows: give at most 6"):
        Components.fit(values, 7)
    with pytest.raises(DataError, match="no numeric column varies"):
        Components.fit(np.ones((9, 2)), 0.5)


def test_columns_that_repeat_others_give_fewer_components(values: np.ndarray) -> None:
    found = Components.fit(np.concatenate([values, values], axis=1), 12)
    assert len(found.directions) == 6
    assert np.isfinite(found.of(np.concatenate([values, values], axis=1))).all()


@given(arrays(np.float64, (8, 3), elements=st.floats(-1e3, 1e3)))
def test_components_have_mean_zero_and_spread_one(values: np.ndarray) -> None:
    try:
        found = Components.fit(values, 0.99)
    except DataError:
        return
    made = found.of(values)
    np.testing.assert_allclose(made.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(made.std(axis=0), 1, rtol=1e-4)
    assert Components.fit(values, 0.99) == found

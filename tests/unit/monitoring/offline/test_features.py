from __future__ import annotations

import numpy as np

from tuneloop.monitoring.offline.features import make_features
from tuneloop.monitoring.offline.samples import Sample, as_objects


def test_rows_of_both_sides_in_order() -> None:
    features = make_features(
        [
            Sample("n", "number", np.array([1.0, np.nan, 1000.0]), np.array([2.0])),
            Sample("c", "category", as_objects(["a", "b", None]), as_objects(["a"])),
            Sample("t", "text", as_objects(["Good day", "", None]), as_objects(["day"])),
        ]
    )
    assert features.current.tolist() == [0, 0, 0, 1]
    rank, missing = features.values[:, features.groups["n"]].T
    assert rank.tolist() == [-0.5, 0.0, 0.5, 0.0]
    assert missing.tolist() == [0, 1, 0, 0]
    assert features.values[:, features.groups["c"]].T.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]
    words = features.values[:, features.groups["t"]].T
    assert [1, 0, 0, 1] in words.tolist()
    assert features.values.dtype == np.float32
    assert np.isfinite(features.values).all()
    assert np.abs(features.values).max() <= 1


def test_what_is_the_same_in_every_row_is_no_feature() -> None:
    features = make_features([Sample("n", "number", np.ones(3), np.ones(2))])
    assert features.groups == {"n": []}
    assert features.values.shape == (5, 0)


def test_only_the_order_of_numbers_matters() -> None:
    values = np.random.default_rng(0).standard_normal(50)
    plain, bent = (make_features([Sample("n", "number", v[:30], v[30:])]) for v in (values, np.exp(9 * values)))
    np.testing.assert_array_equal(plain.values, bent.values)

"""The target's scale is learned, applied and undone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import Columns, DataError, RequestError
from tuneloop.tasks import TabularRegression

finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=20))
def test_scaling_is_undone(values: list[float]) -> None:
    task = TabularRegression.fit(Columns({}, target="y"), Dataset.from_dict({"y": values}))
    logits = task.targets(values)[:, None]
    restored = task.predictions({"logits": logits}).values
    assert np.allclose(restored, values, rtol=1e-4, atol=1e-3 * max(1.0, max(map(abs, values))))
    again = TabularRegression.from_state(task.state())
    assert again.answers({"logits": logits}) == task.answers({"logits": logits})


@pytest.mark.parametrize("value", ["many", None, math.nan, math.inf])
def test_what_is_no_finite_number_is_refused_with_its_column(value: object) -> None:
    with pytest.raises(DataError, match="'y'"):
        TabularRegression.fit(Columns({}, target="y"), {"y": [1.0, value]})  # type: ignore[arg-type]


def test_errors_are_signed() -> None:
    task = TabularRegression(0.0, 1.0)
    assert task.error({"value": 3.0}, "1.5") == 1.5
    with pytest.raises(RequestError, match="finite number"):
        task.error({"value": 3.0}, "many")

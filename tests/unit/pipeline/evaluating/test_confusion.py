"""What `evaluate` counts of right and wrong answers."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.api import NO_PLACE, Predictions
from tuneloop.pipeline.evaluating.confusion import counted


def test_classes_are_counted_by_right_label_and_answer() -> None:
    found = counted(Predictions(np.array([0, 1, 1, 0]), None, ("a", "b")), np.array([0, 1, 0, NO_PLACE]))
    assert found == {"labels": ["a", "b"], "counts": [[1, 1], [0, 1]]}


def test_where_a_row_has_any_number_of_labels_each_is_counted_by_itself() -> None:
    given = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 0]])
    right = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]])
    found = counted(Predictions(given, given.astype(np.float32), ("loud", "late")), right)
    assert found == {"by_label": [["loud", 1, 2, 1, 1], ["late", 2, 0, 0, 3]]}


@pytest.mark.parametrize("values", [np.array([0.5, 2.0])])
def test_values_have_no_confusion(values: np.ndarray) -> None:
    assert counted(Predictions(values, None, ()), values) == {}

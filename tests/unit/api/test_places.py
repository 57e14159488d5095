"""Outputs of rows with different numbers of places are put together."""

import numpy as np

from tuneloop.api import ABSENT, fill_up, scatter


def test_outputs_of_different_width_get_the_largest_and_are_filled():
    groups = [
        ([1], {"logits": np.ones((1, 2, 3), np.float32), "embedding": np.zeros((1, 4), np.float32)}),
        ([2, 0], {"logits": np.full((2, 5, 3), 2, np.float32), "embedding": np.ones((2, 4), np.float32)}),
        ([3], {"logits": np.full((1, 1, 3), 3, np.float32), "embedding": np.ones((1, 4), np.float32)}),
    ]
    merged = scatter(groups, 4)
    assert merged["embedding"].tolist() == [[1.0] * 4, [0.0] * 4, [1.0] * 4, [1.0] * 4]
    assert merged["logits"].shape == (4, 5, 3)
    held = merged["logits"][:, :, 0] > ABSENT / 2
    assert held.sum(axis=1).tolist() == [5, 2, 5, 1]
    assert merged["logits"][1, :2].tolist() == [[1.0] * 3] * 2


def test_equal_sizes_are_left_alone():
    array = np.ones((2, 3, 4), np.float32)
    assert fill_up(array, (3, 4)) is array
    assert fill_up(array, (5, 4)).shape == (2, 5, 4)

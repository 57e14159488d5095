from __future__ import annotations

import numpy as np

from tuneloop.monitoring.offline.joint import joint_test
from tuneloop.monitoring.offline.samples import Sample

ROWS = 200


def columns(values: np.ndarray, other: np.ndarray) -> list[Sample]:
    return [Sample(name, "number", values[:, i], other[:, i]) for i, name in enumerate("abc")]


def draw(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((ROWS, 3))


def test_without_a_change_it_stops_early() -> None:
    found = joint_test(columns(draw(1), draw(2)), permutations=39)
    assert found.pvalue > 0.05
    assert found.permutations < 39
    assert found.low < 0.5 < found.high
    assert found.rows == (ROWS, ROWS)


def test_two_columns_that_no_longer_go_together_are_found_and_named() -> None:
    """Each column alone has not changed."""
    now = draw(4)
    now[:, 1] = 0.95 * now[:, 0] + np.sqrt(1 - 0.95**2) * now[:, 1]
    found = joint_test(columns(draw(3), now), permutations=39, telling=3)
    assert found.pvalue == 1 / 40
    assert found.low > 0.5
    labels = [label for label, _ in found.importance]
    assert set(labels[:2]) == {"a", "b"}
    assert len(found.telling) == 3
    assert found.telling[0][1] >= found.telling[1][1] > 0.5


def test_the_row_that_stands_out_is_named_by_its_place_among_all_rows() -> None:
    now = draw(5)
    now[:100] += 4
    found = joint_test(columns(draw(6), now), permutations=1, most_rows=150, telling=20)
    assert found.rows == (150, 150)
    assert all(position < 100 for position, _ in found.telling)


def test_it_is_the_same_each_time() -> None:
    samples = columns(draw(7), draw(8))
    assert joint_test(samples, permutations=2) == joint_test(samples, permutations=2)


def test_columns_that_never_vary_tell_nothing() -> None:
    found = joint_test([Sample("x", "number", np.ones(80), np.ones(80))], permutations=39)
    assert (found.auc, found.pvalue, found.permutations) == (0.5, 1.0, 0)

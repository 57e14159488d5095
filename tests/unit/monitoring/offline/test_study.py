from __future__ import annotations

import numpy as np
import pytest

from tuneloop.api import DataError
from tuneloop.monitoring.offline.samples import Sample, as_objects
from tuneloop.monitoring.offline.study import Settings, study


def number(label: str, rows: int, seed: int, shift: float = 0.0, current: int | None = None) -> Sample:
    random = np.random.default_rng(seed)
    return Sample(label, "number", random.standard_normal(rows), random.standard_normal(current or rows) + shift)


ALONE = Settings(permutations=0)


def test_each_outcome() -> None:
    assert study([number("a", 2000, 1), number("b", 2000, 2)], settings=ALONE).outcome == "stable"
    assert study([number("a", 2000, 1), number("b", 2000, 2, 0.5)], settings=ALONE).outcome == "drift"
    assert study([number("a", 25, 1)], settings=ALONE).outcome == "unclear"


def test_a_small_change_is_no_drift() -> None:
    found = study([number("a", 20_000, 1, 0.1)], settings=ALONE)
    assert found.outcome == "stable"
    assert found.signals[0].verdict == "small"


def test_a_column_that_is_gone_is_drift() -> None:
    assert study([number("a", 2000, 1)], settings=ALONE, changes=["column 'b' is gone"]).outcome == "drift"


def test_drift_that_only_the_joint_test_sees() -> None:
    random = np.random.default_rng(0)
    before, now = random.standard_normal((2, 300, 2))
    now[:, 1] = 0.95 * now[:, 0] + np.sqrt(1 - 0.95**2) * now[:, 1]
    told: list[str] = []
    found = study(
        [Sample("a", "number", before[:, 0], now[:, 0]), Sample("b", "number", before[:, 1], now[:, 1])],
        settings=Settings(permutations=39),
        told=told.append,
    )
    assert found.outcome == "drift"
    assert found.joint_drift
    assert [test.verdict for test in found.signals] == ["stable", "stable"]
    assert len(told) == 2


@pytest.mark.parametrize(
    ("settings", "rows", "reason"),
    [
        (Settings(permutations=0), 200, "not asked for"),
        (Settings(permutations=38), 200, "38 permutations cannot reach the level 0.025; ask for 39"),
        (Settings(), 49, "it needs 50 rows on each side"),
    ],
)
def test_why_there_is_no_joint_test(settings: Settings, rows: int, reason: str) -> None:
    found = study([number("a", rows, 1)], settings=settings)
    assert found.joint is None
    assert reason in found.without_joint


def test_many_signals_leave_a_true_change_significant() -> None:
    """The permutation test must be fine enough for the correction."""
    samples = [number(f"s{i}", 30, i) for i in range(20)] + [number("moved", 30, 999, 5.0)]
    found = study(samples, settings=Settings(alpha=0.001, permutations=0))
    assert found.signals[0].label == "moved"
    assert found.signals[0].verdict == "drift"


def test_texts_are_tested_by_their_length() -> None:
    texts = as_objects(["a b c"] * 30), as_objects(["a much longer message"] * 30)
    found = study([Sample("text", "text", *texts)], settings=ALONE)
    assert found.signals[0].label == "text (length)"
    assert found.outcome == "drift"


def test_no_rows() -> None:
    with pytest.raises(DataError, match="5 reference rows and 0 current rows"):
        study([Sample("a", "number", np.zeros(5), np.zeros(0))])

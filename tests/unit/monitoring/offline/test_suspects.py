from __future__ import annotations

import numpy as np
import pytest

from tuneloop.monitoring.offline.samples import as_objects
from tuneloop.monitoring.offline.suspects import suspicion

RANDOM = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("kind", "reference", "current", "word"),
    [
        ("number", np.arange(100.0), np.arange(100.0, 200.0), "monotone"),
        ("number", -np.repeat(np.arange(50.0), 2), -np.repeat(np.arange(50.0), 2), "monotone"),
        ("number", RANDOM.permutation(500.0 + np.arange(100)), RANDOM.permutation(np.arange(100.0)), "unique"),
        ("category", as_objects([f"u{i}" for i in range(80)]), as_objects([f"v{i}" for i in range(80)]), "unique"),
    ],
)
def test_named(kind: str, reference: np.ndarray, current: np.ndarray, word: str) -> None:
    assert (suspicion(kind, reference, current) or "").startswith(word)


@pytest.mark.parametrize(
    ("kind", "reference", "current"),
    [
        ("number", RANDOM.standard_normal(100), RANDOM.standard_normal(100)),
        ("number", np.arange(100.0), RANDOM.standard_normal(100)),
        ("number", np.arange(20.0), np.arange(20.0)),
        ("number", np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], 50)),
        ("number", RANDOM.integers(0, 9, 100).astype(float), RANDOM.integers(0, 9, 100).astype(float)),
        ("category", as_objects(["a", "b"] * 50), as_objects([f"u{i}" for i in range(80)])),
        ("text", as_objects([f"a text {i}" for i in range(80)]), as_objects([f"a text {i}" for i in range(80)])),
    ],
)
def test_not_named(kind: str, reference: np.ndarray, current: np.ndarray) -> None:
    assert suspicion(kind, reference, current) is None


def test_missing_values_do_not_hide_an_order() -> None:
    values = np.arange(100.0)
    values[::10] = np.nan
    assert suspicion("number", values, values)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.api import ArtifactError, Column, DataError, PluginError, SignalBatch, Tensor
from tuneloop.monitoring.reference import Reference, build_reference
from tuneloop.monitoring.signals import ColumnCategory, ColumnNumber, create_signals, tuneloop_signals

SIGNALS = create_signals(
    tuneloop_signals(),
    (Column("age", "number"), Column("city", "category")),
    (Tensor("ids", "int64", ("batch", "length")),),
    ("a", "b", "c"),
    8,
)


@pytest.fixture
def batches(make_batch: Any) -> Callable[[int], list[SignalBatch]]:
    def make(rows: int) -> list[SignalBatch]:
        random = np.random.default_rng(7)
        values = [{"age": float(random.integers(90)), "city": "Rome" if i % 3 else "Oslo"} for i in range(rows)]
        labels = ["a" if i % 2 else "b" for i in range(rows)]
        return [make_batch(values[i : i + 50], labels[i : i + 50], random) for i in range(0, rows, 50)]

    return make


def test_a_reference_survives_its_file_with_equal_bytes(tmp_path: Path, batches: Any) -> None:
    reference = build_reference(SIGNALS, batches(200), errors=[0, 1, 0, 0])
    reference.save(tmp_path / "reference.json")
    loaded = Reference.load(tmp_path / "reference.json")
    assert loaded == reference
    assert (
        loaded.to_json() == reference.to_json() == build_reference(SIGNALS, batches(200), errors=[0, 1, 0, 0]).to_json()
    )
    assert (loaded.rows, loaded.score, loaded.tolerance, loaded.squared_error) == (200, 0.75, 0.0, 0.25)
    assert loaded.by_label["answer"].names == ("a", "b", "unseen", "missing")
    assert loaded.bin("column:city", np.array(["Oslo", "Paris", None], dtype=object)).tolist() == [0, 2, 3]


def test_values_are_right_within_the_holdouts_own_error(batches: Any) -> None:
    errors = np.arange(-50, 50) / 10
    reference = build_reference([ColumnNumber("age")], batches(100), errors=errors, regression=True)
    assert reference.tolerance == pytest.approx(4.5)
    assert reference.score == pytest.approx(0.91)


def test_what_cannot_be_a_reference_is_refused(tmp_path: Path, batches: Any) -> None:
    with pytest.raises(DataError, match="no holdout rows"):
        build_reference(SIGNALS, [])

    class Broken(ColumnCategory):
        def read(self, batch):  # type: ignore[no-untyped-def]
            return super().read(batch)[1:]

    with pytest.raises(PluginError, match=r"column:city.*shape"):
        build_reference([Broken("city")], batches(50))
    (tmp_path / "reference.json").write_text('{"format": 2}')
    with pytest.raises(ArtifactError, match=r"reference\.json"):
        Reference.load(tmp_path / "reference.json")
    with pytest.raises(ArtifactError, match="absent"):
        Reference.load(tmp_path / "absent")

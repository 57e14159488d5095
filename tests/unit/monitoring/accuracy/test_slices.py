"""Slices: read from stored rows in the bins of the reference; times, identifiers and what is not stored are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuneloop.api import Column, ConfigError, Encoded, Signal, SignalBatch, Tensor
from tuneloop.monitoring.accuracy.slices import SliceReader, readable, slice_labels, unfit_column
from tuneloop.monitoring.reference import Reference, build_reference
from tuneloop.monitoring.signals import create_signals, tuneloop_signals

COLUMNS = (Column("age", "number"), Column("job", "category", ("cook", "pilot")), Column("id", "category"))
TENSORS = (Tensor("ids", "int64", ("batch", "length")),)


def signals() -> tuple[Signal, ...]:
    return create_signals(list(tuneloop_signals()), COLUMNS, TENSORS, ("x", "y"), 4)


def holdout(rows: int = 300) -> SignalBatch:
    random = np.random.default_rng(0)
    asked = [{"age": float(n % 80), "job": ("cook", "pilot")[n % 2], "id": f"u{n}"} for n in range(rows)]
    answers = [{"label": "xy"[n % 2], "confidence": 0.5 + n / rows / 2, "scores": {}} for n in range(rows)]
    encoded = [Encoded((n,), {"ids": np.zeros((1, 3), np.int64)}, 3) for n in range(rows)]
    outputs = {"logits": random.normal(size=(rows, 2)), "embedding": random.normal(size=(rows, 4))}
    return SignalBatch(asked, encoded, outputs, answers)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return build_reference(signals(), [holdout()])


def test_only_what_is_stored_can_be_read() -> None:
    found = {signal.label for signal in signals() if readable(signal)}
    assert {"answer", "confidence", "column:age", "column:job"} <= found
    assert found.isdisjoint({"length", "entropy", "embedding_00"})


def test_names_are_columns_or_signals(reference: Reference) -> None:
    assert slice_labels(["job", "answer", "column:age"], signals(), reference) == (
        "answer",
        "column:age",
        "column:job",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("jop", "neither a column"),
        ("length", "not stored"),
        ("embedding_03", "not stored"),
        ("id", "too many values"),
    ],
)
def test_what_is_no_slice_is_refused_with_what_is(reference: Reference, name: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        slice_labels([name], signals(), reference)
    assert said in str(error.value)
    assert "may name: answer, column:age, column:job, confidence" in str(error.value)


def test_rows_are_read_in_the_reference_bins(reference: Reference) -> None:
    chosen = reference.model_copy(update={"slices": ("answer", "column:age", "column:job")})
    reader = SliceReader(chosen, signals())
    rows = [{"age": 7.0, "job": "pilot"}, {"age": None, "job": "king"}, {}]
    found = reader.read(rows, [{"label": "x"}, {"label": "y"}, {"label": "x"}])
    assert found["column:job"] == ["pilot", "unseen", "missing"]
    assert found["column:age"][1:] == ["missing", "missing"]
    assert found["answer"] == ["x", "y", "x"]
    assert all(set(values) <= set(reader.names[name]) for name, values in found.items())


def test_a_slice_that_breaks_is_left_out(reference: Reference, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Signal):
        name, kind, label = "answer", "category", "answer"

        @classmethod
        def create(cls, *_: Any, **__: Any) -> list[Signal]:
            return []

        def read(self, batch: SignalBatch) -> Any:
            raise RuntimeError(batch.rows)

    chosen = reference.model_copy(update={"slices": ("answer", "gone")})
    reader = SliceReader(chosen, [Broken()])
    assert "gone" in caplog.text
    assert reader.read([{}], [{}]) == {}
    assert reader.names == {}


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("number", np.arange(500.0), "sorted by it"),
        ("number", np.random.default_rng(0).permutation(500).astype(float), "no value occurs twice"),
        ("category", np.array([f"user {n}" for n in range(500)], dtype=object), "no value occurs twice"),
        ("category", np.array([f"user {n % 300}" for n in range(500)], dtype=object), "300 different values"),
        ("number", np.random.default_rng(0).normal(size=500), None),
        ("number", np.random.default_rng(0).integers(0, 90, size=500).astype(float), None),
        ("category", np.array(["cook", "pilot", None] * 100, dtype=object), None),
        ("category", np.array(["only", "four", "rows", "here"], dtype=object), None),
    ],
)
def test_times_and_identifiers_are_seen_before_training(kind: str, values: Any, said: str | None) -> None:
    found = unfit_column(kind, values)
    assert (found is None) if said is None else (found is not None and said in found)

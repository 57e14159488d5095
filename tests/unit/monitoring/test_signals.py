from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest

from tuneloop.api import Column, ConfigError, PluginConflictError, Signal, SignalBatch, Tensor
from tuneloop.monitoring.signals import create_signals, tuneloop_signals

COLUMNS = (Column("age", "number"), Column("city", "category", ("Rome",)), Column("note", "text"))
TENSORS = (Tensor("ids", "int64", ("batch", "length")),)


def test_each_kind_of_model_gets_its_signals() -> None:
    classes = tuneloop_signals()
    of_classes = create_signals(classes, COLUMNS, TENSORS, ("a", "b", "c"), 8)
    labels = [signal.label for signal in of_classes]
    assert labels == sorted(
        ["column:age", "column:city", "length", "answer", "confidence", "entropy", "unknown_rate"]
        + [f"embedding_{i:02d}" for i in range(16)]
    )
    table = create_signals(classes, COLUMNS[:2], (Tensor("x", "float32", ("batch", 4)),), ("value",), 0)
    assert [(signal.label, signal.kind) for signal in table] == [
        ("answer", "number"),
        ("column:age", "number"),
        ("column:city", "category"),
        ("unknown_rate", "number"),
    ]
    fewer = create_signals(classes, COLUMNS, TENSORS, ("a", "b"), 8, exclude={"embedding", "column:age"})
    assert [signal.label for signal in fewer] == [
        "answer",
        "column:city",
        "confidence",
        "entropy",
        "length",
        "unknown_rate",
    ]


def test_signals_are_picked_by_label_and_by_kind() -> None:
    def labels(**wanted: Any) -> list[str]:
        found = create_signals(tuneloop_signals(), COLUMNS, TENSORS, ("a", "b"), 8, **wanted)
        return [signal.label for signal in found]

    assert labels(only=["answer", "column-number", "embedding_03"]) == ["answer", "column:age", "embedding_03"]
    assert labels(only=["column-number", "column-category"], exclude=["column:age"]) == ["column:city"]
    assert labels(only=["answer-value"]) == []
    with pytest.raises(ConfigError, match=r"no signal 'column:aeg', 'lenght' .* column:age, .* length"):
        labels(only=["lenght"], exclude=["column:aeg"])


def test_values_are_read(make_batch: Any) -> None:
    batch = make_batch([{"age": 3, "city": "Rome"}, {"age": None, "city": None}, {"city": 5}], ["a", "b", "c"])
    signals = {s.label: s for s in create_signals(tuneloop_signals(), COLUMNS, TENSORS, ("a", "b", "c"), 8)}
    np.testing.assert_array_equal(signals["column:age"].read(batch), [3.0, math.nan, math.nan])
    assert signals["column:city"].read(batch).tolist() == ["Rome", None, "5"]
    assert signals["length"].read(batch).tolist() == [1, 2, 3]
    assert signals["answer"].read(batch).tolist() == ["a", "b", "c"]
    logits = batch.outputs["logits"].astype(float)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(signals["entropy"].read(batch), -(shares * np.log(shares)).sum(axis=1))
    assert signals["embedding_03"].read(batch).shape == (3,)


def test_projections_are_the_same_everywhere(make_batch: Any) -> None:
    one = create_signals(tuneloop_signals(), (), (), ("a", "b"), 8)
    batch = make_batch([{}, {}])
    batch = SignalBatch(
        batch.rows, batch.encoded, {**batch.outputs, "embedding": np.ones((2, 8), np.float32)}, batch.answers
    )
    values = {signal.label: signal.read(batch)[0] for signal in one if signal.label.startswith("embedding_0")}
    assert values["embedding_00"] == pytest.approx(0.34734776)
    assert values["embedding_01"] == pytest.approx(0.46247817)


def test_extreme_logits_have_an_entropy(make_batch: Any) -> None:
    batch = make_batch([{}, {}])
    outputs = {"logits": np.array([[1e4, -1e4, 0], [0, 0, 0]], np.float32)}
    entropy = next(s for s in create_signals(tuneloop_signals(), (), (), ("a", "b", "c"), 0) if s.label == "entropy")
    values = entropy.read(SignalBatch(batch.rows, batch.encoded, outputs, batch.answers))
    assert values == pytest.approx([0, math.log(3)])


def test_two_signals_of_one_label_are_named() -> None:
    class Copy(Signal):
        name: ClassVar[str] = "copy"
        kind = "number"
        label = "length"

        @classmethod
        def create(cls, columns, tensors, output_names, embedding_size):  # type: ignore[no-untyped-def]
            return [cls()]

        def read(self, batch):  # type: ignore[no-untyped-def]
            return np.zeros(len(batch.rows))

    with pytest.raises(PluginConflictError, match=r"'length'.*Length.*Copy"):
        create_signals([*tuneloop_signals(), Copy], COLUMNS, TENSORS, ("a", "b"), 0)

from __future__ import annotations

import numpy as np

from tuneloop.api import Column, Encoded, SignalBatch, Tensor
from tuneloop.monitoring.unknown_signals import UnknownRate

IDS = Tensor("input_ids", "int64", ("batch", "length"), 0, 1)
MASK = Tensor("attention_mask", "int64", ("batch", "length"))


def test_the_share_of_unknown_tokens_of_each_row() -> None:
    (signal,) = UnknownRate.create([Column("text", "text")], [IDS, MASK], ("a", "b"), 0)
    encoded = [
        Encoded((1,), {"input_ids": np.array([[1, 1, 5, 1]]), "attention_mask": np.ones((1, 4), np.int64)}, 4),
        Encoded((0, 2), {"input_ids": np.array([[7, 1], [7, 8]]), "attention_mask": np.ones((2, 2), np.int64)}, 2),
    ]
    batch = SignalBatch([{"text": "x"}] * 3, encoded, {}, [{}] * 3)
    assert signal.read(batch).tolist() == [0.5, 0.75, 0.0]
    assert signal.label == "unknown_rate"


def test_the_share_of_unseen_categories_of_each_row() -> None:
    columns = [
        Column("job", "category", ("cook", "clerk")),
        Column("town", "category", ("Rome",)),
        Column("n", "number"),
    ]
    (signal,) = UnknownRate.create(columns, [Tensor("numeric", "float32", ("batch", 1))], ("a", "b"), 0)
    rows = [
        {"job": "cook", "town": "Rome", "n": 1.0},
        {"job": "pilot", "town": None, "n": 2.0},
        {"job": "pilot", "town": "Oslo", "n": None},
    ]
    assert signal.read(SignalBatch(rows, [], {}, [{}] * 3)).tolist() == [0.0, 0.5, 1.0]


def test_there_is_none_where_nothing_can_be_unknown() -> None:
    bytes_only = Tensor("input_ids", "int64", ("batch", "length"))
    assert list(UnknownRate.create([Column("text", "text")], [bytes_only], ("a",), 0)) == []
    assert list(UnknownRate.create([Column("n", "number")], [MASK], ("a",), 0)) == []

"""Made-up rows: how long training takes does not depend on what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneloop.api import Tensor, TrainingData

TEXT = (Tensor("input_ids", "int64", ("batch", "length")), Tensor("attention_mask", "int64", ("batch", "length")))
CLASSES = 20
TABLE = (Tensor("numeric", "float32", ("batch", 10)), Tensor("categorical", "int64", ("batch", 6)))
CATEGORIES = (9,) * 6


@dataclass(frozen=True)
class Size:
    """Rows to train on, and to validate with."""

    train: int
    validation: int


def texts(size: Size, longest: int, seed: int = 0) -> TrainingData:
    """Token ids of mixed lengths, most of them short: from 4 to `longest`."""
    random = np.random.default_rng(seed)
    count = size.train + size.validation
    lengths = np.clip(np.exp(random.normal(np.log(longest / 5), 0.7, count)).astype(int), 4, longest)
    ids = [random.integers(1000, 20000, length) for length in lengths]
    columns = {
        "input_ids": ids,
        "attention_mask": [np.ones(length, np.int64) for length in lengths],
        "labels": random.integers(0, CLASSES, count),
        "length": lengths,
    }
    return _data(columns, size, TEXT)


def tables(size: Size, seed: int = 0) -> TrainingData:
    """Ten numbers and six categories a row."""
    random = np.random.default_rng(seed)
    count = size.train + size.validation
    numbers = random.normal(size=(count, 10)).astype(np.float32)
    columns = {
        "numeric": list(numbers),
        "categorical": list(random.integers(0, 9, (count, 6))),
        "labels": (numbers[:, 0] * numbers[:, 1] > 0).astype(np.int64),
        "length": np.zeros(count, np.int64),
    }
    return _data(columns, size, TABLE)


def _data(columns: dict[str, Any], size: Size, tensors: tuple[Tensor, ...]) -> TrainingData:
    from datasets import Dataset, Features, List, Value

    kinds = Features(
        {
            **{tensor.name: List(Value(tensor.dtype)) for tensor in tensors},
            "labels": Value("int64"),
            "length": Value("int64"),
        }
    )

    def part(first: int, last: int) -> Any:
        return Dataset.from_dict({name: values[first:last] for name, values in columns.items()}, features=kinds)

    def metric(logits: Any, labels: Any) -> dict[str, float]:
        return {"accuracy": float((logits.argmax(axis=1) == labels).mean())}

    end = size.train + size.validation
    return TrainingData(
        part(0, size.train), part(size.train, end), tensors, "cross_entropy", metric, "accuracy", maximize=True
    )

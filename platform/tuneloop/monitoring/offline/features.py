"""Samples as one matrix for a classifier. What is learned here never sees which sample a row came from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.offline.samples import Sample

_MOST_CATEGORIES = 20
_MOST_WORDS = 100
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """Rows of both samples.

    Attributes:
        values: `float32 [rows, features]`, finite, within -1 and 1.
        groups: Label of a sample to its columns in `values`.
        current: Which rows are current, `int64 [rows]` of 0 and 1.
    """

    values: NDArray[np.float32]
    groups: dict[str, list[int]]
    current: NDArray[np.int64]


def make_features(samples: Sequence[Sample]) -> Features:
    """One matrix of all samples.

    A number becomes its rank among all rows, so that neither a long tail nor a unit matters, and a mark for missing; a
    category becomes a mark for each frequent value; a text its length, and a mark for each frequent word.
    """
    columns: list[NDArray[np.float32]] = []
    groups: dict[str, list[int]] = {}
    for sample in samples:
        made = _columns(sample.kind, np.concatenate([sample.reference, sample.current]))
        useful = [column for column in made if column.min() < column.max()]
        groups[sample.label] = list(range(len(columns), len(columns) + len(useful)))
        columns += useful
    rows = (len(samples[0].reference), len(samples[0].current))
    values = np.stack(columns, axis=1) if columns else np.zeros((sum(rows), 0), dtype=np.float32)
    return Features(values, groups, np.repeat(np.array([0, 1], dtype=np.int64), rows))


def _columns(kind: str, values: NDArray[Any]) -> list[NDArray[np.float32]]:
    if kind == "number":
        return _number(values)
    if kind == "category":
        return [_marks([value == category for value in values]) for category in _frequent(values)]
    lengths = np.array([np.nan if text is None else len(text) for text in values])
    words = [frozenset() if text is None else frozenset(_WORD.findall(text.casefold())) for text in values]
    counted = Counter(word for found in words for word in found)
    frequent = sorted(counted, key=lambda word: (-counted[word], word))[:_MOST_WORDS]
    return [*_number(lengths), *(_marks([word in found for found in words]) for word in frequent)]


def _number(values: NDArray[np.float64]) -> list[NDArray[np.float32]]:
    missing = np.isnan(values)
    ranks = np.zeros(len(values), dtype=np.float32)
    present = values[~missing]
    if len(present):
        _, place, counts = np.unique(present, return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - (counts - 1) / 2
        ranks[~missing] = 2 * middle[place] / (len(present) + 1) - 1
    return [ranks, missing.astype(np.float32)]


def _frequent(values: NDArray[Any]) -> list[str | None]:
    counted = Counter(values)
    return sorted(counted, key=lambda value: (-counted[value], value is None, str(value)))[:_MOST_CATEGORIES]


def _marks(flags: list[bool]) -> NDArray[np.float32]:
    return np.array(flags, dtype=np.float32)

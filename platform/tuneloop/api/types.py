"""The frozen types that cross the border between the core and its plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Row: TypeAlias = Mapping[str, Any]
"""One record: column name to plain Python value; a missing value is None."""

Arrays: TypeAlias = dict[str, NDArray[Any]]
"""Named tensors; the first axis of each is the batch."""

Answer: TypeAlias = dict[str, Any]
"""What one caller gets for one row; plain JSON values."""

ColumnKind = Literal["text", "number", "category", "words", "audio", "image", "prompt"]

LossName: TypeAlias = Literal["cross_entropy", "binary_cross_entropy", "mse", "span", "likelihood", "ctc"]
"""What training minimises over the `logits` output; see `Task.targets` for what each reads."""

Judging: TypeAlias = Literal["classification", "multi-label", "regression", "tagging", "span", "text", "generation"]
"""The kinds of answers that metrics score; see `Predictions`."""

ABSENT = -1e9
"""Fills the logits of places that hold nothing, where rows have different numbers of places; finite, as JSON is."""

NO_PLACE = -2
"""The target of such a place; -1 is the target of a label that the model does not know."""


@dataclass(frozen=True, slots=True)
class Column:
    """One input column of a request.

    Attributes:
        name: The column's name in rows and requests.
        kind: How its values are read.
        categories: The values known from training, for kind `category`.
    """

    name: str
    kind: ColumnKind
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named input or output of a model.

    Attributes:
        name: The name in the ONNX graph.
        dtype: A NumPy dtype name, such as `int64` or `float32`.
        shape: Sizes; a text such as `batch` or `length` marks a symbolic axis. The first is always `batch`.
        pad: What fills the `length` axis when rows of different length share a batch in training.
        unknown: The token that stands for what the tokenizer does not know; None: there is none.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    pad: int | float = 0
    unknown: int | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows encoded together, all of one length, so that no padding is ever needed at serving.

    Attributes:
        rows: Positions of these rows in what was handed to `encode`.
        inputs: One array a model input; first axis `len(rows)`.
        length: Size of the symbolic `length` axis; 0 where inputs have a fixed size.
    """

    rows: tuple[int, ...]
    inputs: Arrays
    length: int = 0


@dataclass(frozen=True, slots=True)
class Columns:
    """The roles of a project's columns.

    Attributes:
        inputs: Role of the task to column name, or for tables column name to itself.
        target: The column with the reference answer; None where rows are unlabelled.
        key: The column that identifies a row; None: rows are identified by their content.
    """

    inputs: Mapping[str, str]
    target: str | None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answers of a model on many rows, in the form metrics read.

    Attributes:
        values: `int64 [n]` class positions, or `float32 [n]` values; `int64 [n, words]` where each word of a row has a
            class, filled with `NO_PLACE` behind a row's last word; `int64 [n, classes]` of 0 and 1 where a row has any
            number of labels; `object [n]` of texts where an answer is a text; for `generation` `float32 [n, places]`,
            the log-probability of each right token, `ABSENT` where a place holds none.
        scores: `float32 [n, classes]` probabilities, or `float32 [n, words, classes]`; None for values and texts.
        labels: Class names by position; empty for values and texts.
    """

    values: NDArray[Any]
    scores: NDArray[Any] | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalBatch:
    """What signals are read from: some rows of one request and what the model made of them.

    Attributes:
        rows: The request rows, in order.
        encoded: The same rows as model inputs, in groups of one length.
        outputs: Model outputs in row order; `logits [n, k]` or `[n, places, k]`, and `embedding [n, d]` where the model
            has one.
        answers: The answers sent, in row order.
    """

    rows: Sequence[Row]
    encoded: Sequence[Encoded]
    outputs: Arrays
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A pipeline step ended. `seconds` is its wall time; `reused` says that an earlier result was taken."""

    project: str
    run: str
    step: str
    seconds: float
    reused: bool
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GateEvent:
    """The gate decided on a challenger; `checks` holds a sentence for each check, with its figures."""

    project: str
    run: str
    passed: bool
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PromotionEvent:
    """An alias moved: `version` now answers for `model`."""

    model: str
    version: str
    previous: str | None
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An alert reached the loop, and what the policy made of it (`accepted`, or why not)."""

    model: str
    alert: str
    fingerprint: str
    started: str
    decision: str


def row_count(inputs: Arrays) -> int:
    """The size of the batch axis of named tensors; 0 where there are none."""
    return next((int(array.shape[0]) for array in inputs.values()), 0)


def scatter(groups: Sequence[tuple[Sequence[int], Arrays]], rows: int) -> Arrays:
    """Put the outputs of groups of rows back into row order.

    Args:
        groups: Positions and outputs of each group. Where shapes differ, all get the largest, filled with `ABSENT`.
        rows: The number of rows in all.
    """
    merged: Arrays = {}
    for positions, outputs in groups:
        index = np.asarray(positions, dtype=np.int64)
        for name, array in outputs.items():
            target = merged.get(name)
            if target is None:
                target = merged[name] = np.empty((rows, *array.shape[1:]), dtype=array.dtype)
                # Rows that come in a later group of another shape would keep what memory held.
                if array.ndim > 2:
                    target.fill(ABSENT)
            elif target.shape[1:] != array.shape[1:]:
                sizes = tuple(max(pair) for pair in zip(target.shape[1:], array.shape[1:], strict=True))
                target = merged[name] = fill_up(target, sizes)
                array = fill_up(array, sizes)
            target[index] = array
    return merged


def fill_up(array: NDArray[Any], sizes: Sequence[int]) -> NDArray[Any]:
    """The array with these sizes behind its first axis, none smaller than its own; `ABSENT` where it held nothing."""
    if array.shape[1:] == tuple(sizes):
        return array
    larger = np.full((len(array), *sizes), ABSENT, dtype=array.dtype)
    larger[(slice(None), *map(slice, array.shape[1:]))] = array
    return larger

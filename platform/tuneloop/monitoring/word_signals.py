"""Signals of models that tag words: how words fall apart into tokens, and which entities are found."""

# `create` has the interface's arguments, of which each signal needs only some.
# ruff: noqa: ARG003
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Column, Signal, SignalBatch, Tensor


def tags_words(columns: Sequence[Column]) -> bool:
    """Whether a model with these columns has an answer for each word of a row."""
    return any(column.kind == "words" for column in columns)


class WordCount(Signal):
    """The number of words of a row."""

    name, kind, label = "words", "number", "words"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal where a model tags words."""
        return [cls()] if tags_words(columns) else []

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`."""
        return np.array([len(answer.get("tags", ())) for answer in batch.answers], dtype=np.float64)


class TokensPerWord(Signal):
    """How many tokens a word of a row has on average: words that the tokenizer does not know fall apart."""

    name, kind, label = "tokens-per-word", "number", "tokens_per_word"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal where an input marks one token of each word: its first, or its last."""
        marks = [tensor.name for tensor in tensors if tensor.name in ("first", "last")]
        return [cls(marks[0])] if tags_words(columns) and marks else []

    def __init__(self, mark: str) -> None:
        super().__init__()
        self.mark = mark

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`, at least 1; special tokens count."""
        found = np.full(len(batch.rows), np.nan)
        for group in batch.encoded:
            marks = group.inputs[self.mark]
            tokens = marks.shape[1] * marks.shape[2]
            found[list(group.rows)] = tokens / np.maximum(marks.sum(axis=(1, 2)), 1)
        return found


class EntityCount(Signal):
    """The number of entities of one class that the model found in a row."""

    name, kind = "entities", "number"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal a class of entities."""
        if not tags_words(columns):
            return []
        classes = {tag.partition("-")[2] for tag in output_names if tag[:2] in ("B-", "I-")}
        return [cls(name) for name in sorted(classes)]

    def __init__(self, entity: str) -> None:
        super().__init__()
        self.entity, self.label = entity, f"entities:{entity}"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`."""
        counts = [
            Counter(entity["label"] for entity in answer.get("entities", ()))[self.entity] for answer in batch.answers
        ]
        return np.array(counts, dtype=np.float64)

"""Served models for which signals are made: columns, tensors, outputs and answers, without any weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneloop.api.signal import Signal
from tuneloop.api.testing.examples import ROWS
from tuneloop.api.types import ABSENT, Answer, Arrays, Column, Encoded, Row, SignalBatch, Tensor

EMBEDDING = 6


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What `Signal.create` is told about a model, and rows it is asked.

    Attributes:
        columns: Input columns of a request.
        tensors: Model inputs.
        output_names: The labels, or `("value",)`.
        rows: Requests.
        embedding_size: Size of the `embedding` output; 0: none.
    """

    columns: tuple[Column, ...]
    tensors: tuple[Tensor, ...]
    output_names: tuple[str, ...]
    rows: tuple[Row, ...]
    embedding_size: int = 0

    def signals(self, cls: type[Signal]) -> Sequence[Signal]:
        """The signals of a class that fit this model."""
        return list(cls.create(self.columns, self.tensors, self.output_names, self.embedding_size))

    def batch(self, rows: Sequence[Row], positions: Sequence[int] | None = None) -> SignalBatch:
        """These rows with the outputs and answers of their positions, each a group of its own length."""
        places = list(range(len(rows))) if positions is None else list(positions)
        logits = np.array([self._logits(place) for place in places], np.float32)
        outputs: Arrays = {"logits": logits.reshape(len(places), len(self.output_names))}
        if self.embedding_size:
            embedding = [np.sin(np.arange(self.embedding_size) + place) for place in places]
            outputs["embedding"] = np.array(embedding, np.float32).reshape(len(places), self.embedding_size)
        groups = [self._encoded(number, place) for number, place in enumerate(places)]
        return SignalBatch(list(rows), groups, outputs, [self._answer(row) for row in outputs["logits"]])

    def _logits(self, place: int) -> list[float]:
        return [float(np.cos(place + 2 * number)) for number in range(len(self.output_names))]

    def _encoded(self, number: int, place: int) -> Encoded:
        length = 3 + place % 4
        sizes = {"batch": 1, "windows": 1, "length": length}
        inputs = {
            tensor.name: np.ones([sizes[s] if isinstance(s, str) else s for s in tensor.shape], tensor.dtype)
            for tensor in self.tensors
        }
        return Encoded((number,), inputs, length if any("length" in t.shape for t in self.tensors) else 0)

    def _answer(self, logits: Any) -> Answer:
        if self.output_names == ("value",):
            return {"value": float(logits[0])}
        weights = np.exp(logits.astype(np.float64))
        scores = dict(zip(self.output_names, (weights / weights.sum()).tolist(), strict=True))
        best = max(scores, key=scores.__getitem__)
        return {"label": best, "confidence": scores[best], "scores": scores}


class TaggingModel(ServedModel):
    """A model that answers each of a row's words; every second place holds one."""

    def batch(self, rows: Sequence[Row], positions: Sequence[int] | None = None) -> SignalBatch:
        """As `ServedModel.batch`, with logits `[n, places, k]`; a row has from one word to three."""
        whole = ServedModel.batch(self, rows, positions)
        places = range(len(rows)) if positions is None else positions
        counts = [1 + place % 3 for place in places]
        logits = np.full((len(rows), 6, len(self.output_names)), ABSENT, np.float32)
        answers: list[Answer] = []
        for row, count in enumerate(counts):
            logits[row, : 2 * count : 2] = whole.outputs["logits"][row]
            tag = self.output_names[int(whole.outputs["logits"][row].argmax())]
            entity = {"start": 0, "end": 1, "text": "x", "label": tag.partition("-")[2], "confidence": 0.5}
            answers.append(
                {
                    "tags": [tag] * count,
                    "entities": [entity] if tag != "O" else [],
                    "words": ["x"] * count,
                    "confidence": whole.answers[row]["confidence"],
                }
            )
        return SignalBatch(whole.rows, whole.encoded, {**whole.outputs, "logits": logits}, answers)


class SpanModel(ServedModel):
    """A model whose answer is a part of its row; every second place holds a token."""

    def batch(self, rows: Sequence[Row], positions: Sequence[int] | None = None) -> SignalBatch:
        """As `ServedModel.batch`, with logits `[n, places, 2]`; a text has from two tokens to four."""
        whole = ServedModel.batch(self, rows, positions)
        places = list(range(len(rows)) if positions is None else positions)
        logits = np.full((len(rows), 8, 2), ABSENT, np.float32)
        answers: list[Answer] = []
        for row, place in enumerate(places):
            count = 2 + place % 3
            logits[row, : 2 * count : 2] = np.sin(np.arange(2 * count) + place).reshape(count, 2)
            answers.append({"answer": "x" * count, "confidence": 0.5, "start": place, "end": place + count})
        return SignalBatch(whole.rows, whole.encoded, {**whole.outputs, "logits": logits}, answers)


class TextModel(ServedModel):
    """A model that generates: its logits are the log-probabilities of the tokens of its answers."""

    def batch(self, rows: Sequence[Row], positions: Sequence[int] | None = None) -> SignalBatch:
        """As `ServedModel.batch`, with logits `[n, places, 1]`; an answer has from one token to four."""
        whole = ServedModel.batch(self, rows, positions)
        places = list(range(len(rows)) if positions is None else positions)
        logits = np.full((len(rows), 4, 1), ABSENT, np.float32)
        answers: list[Answer] = []
        for row, place in enumerate(places):
            count = 1 + place % 4
            logits[row, :count, 0] = -0.5
            reason = "stop" if count < 4 else "length"
            said = {"text": "x" * count, "finish_reason": reason, "confidence": 0.6, "prompt_tokens": 2}
            answers.append({**said, "completion_tokens": count})
        entropy = np.array([[0.1 * (1 + place % 4)] for place in places], np.float32).reshape(len(rows), 1)
        return SignalBatch(whole.rows, whole.encoded, {"logits": logits, "entropy": entropy}, answers)


_TABLE = (Column("size", "number"), Column("color", "category", ("red", "green", "blue")))
_TABLE_TENSORS = (Tensor("numeric", "float32", ("batch", 1)), Tensor("categorical", "int64", ("batch", 1)))
_TABLE_ROWS: tuple[Row, ...] = tuple({"size": row["size"], "color": row["color"]} for row in ROWS)

MODELS: tuple[ServedModel, ...] = (
    ServedModel(
        (Column("text", "text"),),
        (Tensor("input_ids", "int64", ("batch", "length")), Tensor("attention_mask", "int64", ("batch", "length"))),
        ("en", "it"),
        tuple({"text": row["text"]} for row in ROWS),
        EMBEDDING,
    ),
    ServedModel(_TABLE, _TABLE_TENSORS, ("no", "yes", "perhaps"), _TABLE_ROWS),
    ServedModel(_TABLE, _TABLE_TENSORS, ("value",), _TABLE_ROWS, EMBEDDING),
)
"""A text classifier, a table classifier without an embedding, a table regression."""

TAGGING: tuple[ServedModel, ...] = (
    TaggingModel(
        (Column("tokens", "words"),),
        tuple(Tensor(name, "int64", ("batch", "windows", "length")) for name in ("input_ids", "first")),
        ("O", "B-place", "I-place"),
        tuple({"tokens": row["text"].split()} for row in ROWS),
        EMBEDDING,
    ),
)
"""A model with an answer for each word; add it to `models` of a contract whose signal reads such models."""

SPANNING: tuple[ServedModel, ...] = (
    SpanModel(
        (Column("question", "text"), Column("context", "text")),
        tuple(Tensor(name, "int64", ("batch", "windows", "length")) for name in ("input_ids", "context")),
        ("start", "end"),
        tuple({"question": "where?", "context": row["text"]} for row in ROWS),
        EMBEDDING,
    ),
)
"""A model whose answers are parts of their rows; add it to `models` of a contract whose signal reads such models."""

GENERATING: tuple[ServedModel, ...] = (
    TextModel(
        (Column("text", "prompt"),),
        tuple(Tensor(name, "int64", ("batch", "length")) for name in ("input_ids", "attention_mask", "scored")),
        ("likelihood",),
        tuple({"text": row["text"]} for row in ROWS),
    ),
)
"""A model that generates text; add it to `models` of a contract whose signal reads such models."""


class SpeechModel(ServedModel):
    """A model that gives each frame of a sound a character."""

    def batch(self, rows: Sequence[Row], positions: Sequence[int] | None = None) -> SignalBatch:
        """As `ServedModel.batch`, with logits `[n, frames, characters]`; a sound has from two frames to four of six."""
        whole = ServedModel.batch(self, rows, positions)
        places = list(range(len(rows)) if positions is None else positions)
        logits = np.full((len(rows), 6, len(self.output_names)), ABSENT, np.float32)
        answers: list[Answer] = []
        for row, place in enumerate(places):
            count = 2 + place % 3
            logits[row, :count] = whole.outputs["logits"][row]
            answers.append({"text": "a" * count, "confidence": 0.5})
        return SignalBatch(whole.rows, whole.encoded, {**whole.outputs, "logits": logits}, answers)


def speaking(rows: Sequence[Row]) -> tuple[ServedModel, ...]:
    """A model that writes down what is said in sounds, for a contract whose signal reads such models.

    Args:
        rows: Checked rows, each with a column `audio`.
    """
    tensors = (Tensor("input_features", "float32", ("batch", 2, 12)), Tensor("heard", "float32", ("batch", 6)))
    return (SpeechModel((Column("audio", "audio"),), tensors, ("<blank>", "a", "b"), tuple(rows), EMBEDDING),)

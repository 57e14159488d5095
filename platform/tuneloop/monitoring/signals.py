"""The built-in signals, registered like a stranger's: columns, length, answer, confidence, embedding."""

# `create` has the interface's arguments, of which each signal needs only some.
# ruff: noqa: ARG003
from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, Answer, Column, ConfigError, PluginConflictError, Signal, SignalBatch, Tensor, hookimpl
from tuneloop.monitoring.generation_signals import AnswerTokens, FinishReason, TokenEntropy, generates
from tuneloop.monitoring.image_signals import ImageBrightness, ImageContrast, ImageRatio, ImageSize
from tuneloop.monitoring.sound_signals import SoundLevel, SoundRate, SoundSeconds
from tuneloop.monitoring.span_signals import AnswerLength, AnswerPlace, SpanEntropy, binary_entropy, finds_spans
from tuneloop.monitoring.speech_signals import SpeechRate, TranscriptLength, spells
from tuneloop.monitoring.unknown_signals import UnknownRate
from tuneloop.monitoring.word_signals import EntityCount, TokensPerWord, WordCount, tags_words

TUNELOOP_API = ">=1,<2"

PROJECTIONS = 16
"""Random directions of the embedding that are watched."""
PROJECTION_SEED = 20240229
"""Fixed, so that a reference made on one machine holds on every other."""


class ColumnNumber(Signal):
    """The value of a number column."""

    name, kind = "column-number", "number"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal a number column."""
        return [cls(column.name) for column in columns if column.kind == "number"]

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column, self.label = column, f"column:{column}"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`; NaN where the value is missing or is no number."""
        return np.array([_number(row.get(self.column)) for row in batch.rows], dtype=np.float64)


class ColumnCategory(Signal):
    """The value of a category column."""

    name, kind = "column-category", "category"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal a category column."""
        return [cls(column.name) for column in columns if column.kind == "category"]

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column, self.label = column, f"column:{column}"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`object [n]` of texts; None where missing."""
        values = (row.get(self.column) for row in batch.rows)
        return _objects([None if value is None else str(value) for value in values])


class Length(Signal):
    """The size of the `length` axis of a row: tokens of a text."""

    name, kind, label = "length", "number", "length"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal where a model input has a `length` axis."""
        return [cls()] if any("length" in tensor.shape for tensor in tensors) else []

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`."""
        lengths = np.full(len(batch.rows), np.nan)
        for group in batch.encoded:
            lengths[list(group.rows)] = group.length
        return lengths


class _OfClasses(Signal):
    """A signal that only classification has."""

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal for classification."""
        return [] if _regression(output_names) else [cls()]


class AnswerClass(_OfClasses):
    """The predicted class."""

    name, kind, label = "answer", "category", "answer"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal for classification of whole rows."""
        if tags_words(columns) or generates(tensors) or finds_spans(output_names) or spells(output_names):
            return []
        return super().create(columns, tensors, output_names, embedding_size)

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`object [n]` of labels; where a row has any number of them, all together are its class."""
        return _objects([_class(answer) for answer in batch.answers])


class AnswerValue(Signal):
    """The predicted value."""

    name, kind, label = "answer-value", "number", "answer"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal for regression."""
        return [cls()] if _regression(output_names) else []

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`, in the target's unit."""
        return np.array([_number(answer.get("value")) for answer in batch.answers], dtype=np.float64)


class Confidence(_OfClasses):
    """The probability of the predicted class."""

    name, kind, label = "confidence", "number", "confidence"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`, 0 to 1."""
        return np.array([_number(answer.get("confidence")) for answer in batch.answers], dtype=np.float64)


class Entropy(_OfClasses):
    """How undecided the model was: the entropy of its class probabilities, in nats; the mean over words or labels."""

    name, kind, label = "entropy", "number", "entropy"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal for classification; others have `token-entropy` or `span-entropy`."""
        if generates(tensors) or finds_spans(output_names):
            return []
        return super().create(columns, tensors, output_names, embedding_size)

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`, 0 to ln(classes)."""
        logits = batch.outputs["logits"].astype(np.float64)
        if batch.answers and "labels" in batch.answers[0]:
            return binary_entropy(logits)
        shifted = logits - logits.max(axis=-1, keepdims=True)
        weights = np.exp(shifted)
        total = weights.sum(axis=-1)
        entropy: NDArray[Any] = np.log(total) - (weights * shifted).sum(axis=-1) / total
        np.maximum(entropy, 0.0, out=entropy)
        if entropy.ndim == 2:
            held = logits[..., 0] > ABSENT / 2
            entropy = (entropy * held).sum(axis=1) / np.maximum(held.sum(axis=1), 1)
        return entropy


class Embedding(Signal):
    """The model's pooled embedding, seen from 16 fixed random directions."""

    name, kind = "embedding", "number"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal a direction, where the model has an `embedding` output."""
        if not embedding_size:
            return []
        projector = _Projector(embedding_size)
        return [cls(projector, direction) for direction in range(PROJECTIONS)]

    def __init__(self, projector: _Projector, direction: int) -> None:
        super().__init__()
        self.projector, self.direction, self.label = projector, direction, f"embedding_{direction:02d}"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`."""
        return self.projector(batch.outputs["embedding"])[:, self.direction]


class _Projector:
    """Projects a batch once for all directions: it remembers the last array it saw."""

    def __init__(self, size: int) -> None:
        generator = np.random.Generator(np.random.PCG64(PROJECTION_SEED))
        self.matrix = generator.standard_normal((size, PROJECTIONS)) / math.sqrt(size)
        self.last: tuple[NDArray[Any], NDArray[Any]] | None = None

    def __call__(self, embedding: NDArray[Any]) -> NDArray[Any]:
        last = self.last
        if last is None or last[0] is not embedding:
            last = self.last = (embedding, embedding.astype(np.float64) @ self.matrix)
        return last[1]


def create_signals(
    classes: Iterable[type[Signal]],
    columns: Sequence[Column],
    tensors: Sequence[Tensor],
    output_names: Sequence[str],
    embedding_size: int,
    exclude: Collection[str] = (),
    only: Collection[str] | None = None,
) -> tuple[Signal, ...]:
    """The signals that fit a model and are wanted, sorted by label.

    Args:
        classes: The signal classes of the loaded plugins.
        columns: Input columns of a request.
        tensors: Model inputs.
        output_names: The labels, or `("value",)`.
        embedding_size: Size of the `embedding` output; 0: none.
        exclude: Labels to leave out; a class's name leaves out all of its signals.
        only: Labels or names of classes to take; None: all.

    Raises:
        ConfigError: `exclude` or `only` name neither a class nor a signal of this model; lists what they can.
        PluginConflictError: Two signals have one label.
    """
    found: dict[str, Signal] = {}
    named: set[str] = set()
    for cls in classes:
        named.add(cls.name)
        if cls.name in exclude:
            continue
        for signal in cls.create(columns, tensors, output_names, embedding_size):
            names = {cls.name, signal.label}
            named |= names
            if names & set(exclude) or (only is not None and not names & set(only)):
                continue
            other = found.setdefault(signal.label, signal)
            if other is not signal:
                raise PluginConflictError(
                    f"two signals are labelled {signal.label!r}: {_where(type(other))} and {_where(cls)}. "
                    f"Leave one out with `monitor.exclude`, or block its plugin."
                )
    if unknown := sorted({*exclude, *(only or ())} - named):
        raise ConfigError(
            [
                f"there is no signal {', '.join(map(repr, unknown))} to watch or to exclude; this model has: "
                f"{', '.join(sorted(named))}. Mend monitor.signals or monitor.exclude and run again: finished "
                "steps are reused"
            ]
        )
    return tuple(found[label] for label in sorted(found))


def _where(cls: type[Signal]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _regression(output_names: Sequence[str]) -> bool:
    return tuple(output_names) == ("value",)


def _class(answer: Answer) -> str | None:
    labels = answer.get("labels")
    if isinstance(labels, list):
        return " + ".join(sorted(map(str, labels))) or "(none)"
    label = answer.get("label")
    return None if label is None else str(label)


def _number(value: Any) -> float:
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return math.nan


def _objects(values: list[str | None]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@hookimpl
def tuneloop_signals() -> Sequence[type[Signal]]:
    """The built-in signals."""
    of_columns: list[type[Signal]] = [ColumnNumber, ColumnCategory, Length, UnknownRate]
    of_answers: list[type[Signal]] = [AnswerClass, AnswerValue, Confidence, Entropy, Embedding]
    of_sounds: list[type[Signal]] = [SoundSeconds, SoundLevel, SoundRate, TranscriptLength, SpeechRate]
    of_spans: list[type[Signal]] = [SpanEntropy, AnswerLength, AnswerPlace]
    of_images: list[type[Signal]] = [ImageBrightness, ImageContrast, ImageSize, ImageRatio]
    of_texts: list[type[Signal]] = [AnswerTokens, TokenEntropy, FinishReason]
    return [
        *of_columns,
        *of_answers,
        WordCount,
        TokensPerWord,
        EntityCount,
        *of_texts,
        *of_sounds,
        *of_spans,
        *of_images,
    ]

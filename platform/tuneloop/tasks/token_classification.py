"""`token-classification`: words in, a tag for each word out, and the entities that the tags mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import (
    ABSENT,
    NO_PLACE,
    Answer,
    Arrays,
    Columns,
    DataError,
    Predictions,
    RequestError,
    Row,
    Task,
    Words,
)
from tuneloop.tasks.classification import softmax
from tuneloop.tasks.entities import find_entities

if TYPE_CHECKING:
    from datasets import Dataset

_UNKNOWN_WORD = "?"


class Entity(pydantic.BaseModel):
    """A run of words of one class."""

    start: int = pydantic.Field(description="Where it begins in the text, in characters from 0.")
    end: int = pydantic.Field(description="Where it ends, exclusive. Words sent as a list stand one space apart.")
    text: str = pydantic.Field(description="Its text.")
    label: str = pydantic.Field(description="Its class.")
    confidence: float = pydantic.Field(description="The lowest probability among the tags of its words, 0 to 1.")


class TokenClassificationAnswer(pydantic.BaseModel):
    """The tag of each word, the entities that the tags mark, and how sure the least sure tag is."""

    tags: list[str] = pydantic.Field(description="One tag a word, in order.")
    entities: list[Entity] = pydantic.Field(description="What the tags mark, in order.")
    words: list[str] = pydantic.Field(description="The words that the tags belong to, as the text was split.")
    confidence: float = pydantic.Field(description="The lowest probability among all tags, 0 to 1.")


class TokenClassification(Task):
    """One tag for each word of a text. Tags are `O`, `B-class` and `I-class`; tags without a prefix mark single words.

    `logits` are `[n, places, tags]`; places that hold no word's first token are filled with `ABSENT`.
    """

    name = "token-classification"
    roles: ClassVar[Mapping[str, str]] = {"tokens": "The column that holds the words: a list of texts."}
    loss: ClassVar[Literal["cross_entropy", "mse"]] = "cross_entropy"
    judged_as: ClassVar[Literal["classification", "regression", "tagging"] | None] = "tagging"
    default_metrics = ("entity_f1", "entity_precision", "entity_recall", "accuracy")
    AnswerModel = TokenClassificationAnswer

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self._positions = {label: position for position, label in enumerate(self.labels)}

    @classmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Self:
        """Tags in sorted order, after those already known."""
        if columns.target is None:
            raise DataError(f"task {cls.name!r} needs a column of tags: add `label:` to data.columns")
        found = set(cls.units([value for value in rows[columns.target] if value is not None]))
        labels = [*known, *sorted(found - set(known))]
        if len(labels) < 2:
            raise DataError(
                f"column {columns.target!r} holds {len(labels)} tag(s) ({', '.join(labels) or 'none'}); "
                f"task {cls.name!r} needs at least two"
            )
        return cls(labels)

    @classmethod
    def units(cls, values: Sequence[Any]) -> list[Any]:
        """All tags, one after the other.

        Raises:
            DataError: An answer is no list of texts.
        """
        tags: list[Any] = []
        for row, value in enumerate(values):
            if not isinstance(value, list) or not all(isinstance(tag, str) and tag for tag in value):
                raise DataError(f"row {row}: the tags are a list of texts, one a word, not {value!r:.80}")
            tags += value
        return tags

    @classmethod
    def examine(cls, columns: Columns, rows: Dataset) -> None:
        """Each row has as many tags as words.

        Raises:
            DataError: One has not; names it.
        """
        words, target = columns.inputs["tokens"], str(columns.target)
        for row, (tokens, tags) in enumerate(zip(rows[words], rows[target], strict=True)):
            if tokens is None or tags is None:
                continue
            for name, value in ((words, tokens), (target, tags)):
                if not isinstance(value, list):
                    raise DataError(f"row {row}: column {name!r} holds {value!r:.80}; task {cls.name!r} needs lists")
            if len(tokens) != len(tags):
                raise DataError(f"row {row} has {len(tokens)} words in {words!r}, but {len(tags)} tags in {target!r}")

    def state(self) -> dict[str, Any]:
        """The tags, by position."""
        return {"labels": list(self.labels)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state`."""
        return cls(state["labels"])

    @property
    def output_names(self) -> tuple[str, ...]:
        """The tags."""
        return self.labels

    def targets(self, values: Sequence[Any]) -> NDArray[Any]:
        """Tag positions `int64 [n, words]`: -1 for a tag not known from training, `NO_PLACE` behind the last word."""
        self.units(values)
        found = np.full((len(values), max(map(len, values), default=0)), NO_PLACE, dtype=np.int64)
        for row, tags in enumerate(values):
            found[row, : len(tags)] = [self._positions.get(tag, -1) for tag in tags]
        return found

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The same positions: an unknown tag is never answered right."""
        return self.targets(values)

    def predictions(self, outputs: Arrays) -> Predictions:
        """The most probable position `int64 [n, words]`, and the probabilities `float32 [n, words, tags]`."""
        scores, here = _by_word(outputs["logits"])
        values = np.where(here, scores.argmax(axis=2), NO_PLACE).astype(np.int64)
        return Predictions(values, scores, self.labels)

    def answers(self, outputs: Arrays) -> list[Answer]:
        """As `answers_to`, with a question mark for each word."""
        counts = _by_word(outputs["logits"])[1].sum(axis=1).tolist()
        return self.answers_to([{"tokens": Words.join([_UNKNOWN_WORD] * count)} for count in counts], outputs)

    def answers_to(self, rows: Sequence[Row], outputs: Arrays) -> list[Answer]:
        """Tags, entities and confidence of each row.

        Args:
            rows: Checked rows: their one column holds `Words`.
            outputs: `logits` with as many places as a row has words.
        """
        scores, _ = _by_word(outputs["logits"])
        places, chances = scores.argmax(axis=2).tolist(), scores.max(axis=2, initial=0.0).tolist()
        return [
            self._answer(next(iter(row.values())), place, chance)
            for row, place, chance in zip(rows, places, chances, strict=True)
        ]

    def _answer(self, words: Words, places: Sequence[int], chances: Sequence[float]) -> Answer:
        count = len(words)
        tags = [self.labels[place] for place in places[:count]]
        entities = []
        for first, last, label in find_entities(tags):
            start, end = words.span(first, last)
            entities.append(
                {
                    "start": start,
                    "end": end,
                    "text": words.text[start:end],
                    "label": label,
                    "confidence": min(chances[first : last + 1]),
                }
            )
        return {
            "tags": tags,
            "entities": entities,
            "words": list(words),
            "confidence": min(chances[:count], default=0.0),
        }

    def error(self, answer: Answer, truth: Any) -> float:
        """0 where all tags of a row were right, 1 where one was not."""
        if not isinstance(truth, list) or not all(isinstance(tag, str) and tag for tag in truth):
            raise RequestError(f"a label is a list of tags, one a word, not {truth!r:.80}", field="label")
        if len(truth) != len(answer["tags"]):
            raise RequestError(f"has {len(truth)} tags, but the row has {len(answer['tags'])} words", field="label")
        return 0.0 if answer["tags"] == truth else 1.0


def _by_word(logits: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Probabilities `float32 [n, words, tags]`, and which words there are `bool [n, words]`; 0 where there is none."""
    held = logits[:, :, 0] > ABSENT / 2 if logits.shape[2] else np.zeros(logits.shape[:2], dtype=bool)
    counts = held.sum(axis=1)
    here: NDArray[np.bool_] = np.arange(int(counts.max(initial=0)))[None, :] < counts[:, None]
    scores = np.zeros((*here.shape, logits.shape[2]), dtype=np.float32)
    scores[here] = softmax(logits[held])
    return scores, here

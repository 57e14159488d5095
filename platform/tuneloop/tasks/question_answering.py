"""`question-answering`: a question and a context in, the part of the context that answers it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import (
    ABSENT,
    Answer,
    Arrays,
    Columns,
    DataError,
    Judging,
    LossName,
    Passage,
    Predictions,
    RequestError,
    Row,
    Task,
)
from tuneloop.tasks.answer_texts import normal_answer, place, read_answers, write_answers
from tuneloop.tasks.spans import best_span

if TYPE_CHECKING:
    from datasets import Dataset

LEAST, _MOST, _TOKENS_A_WORD = 30, 300, 2
"""Tokens that an answer may have, whatever the training rows say; and how many a word has, generously."""


class QuestionAnsweringAnswer(pydantic.BaseModel):
    """The part of the context that answers the question, and where it stands."""

    answer: str = pydantic.Field(description="The answer, as it stands in the context.")
    confidence: float = pydantic.Field(description="Its probability among all parts of the context, 0 to 1.")
    start: int = pydantic.Field(description="Where it begins in the context, in characters from 0.")
    end: int = pydantic.Field(description="Where it ends, exclusive.")


class QuestionAnswering(Task):
    """The part of a context that answers a question (extractive question answering, as in SQuAD 1.1).

    `logits` are `[n, places, 2]`: how likely the answer begins and ends at each token of the context; other places are
    `ABSENT`. Every row has an answer in its context: rows without one are left out of training.
    """

    name = "question-answering"
    roles: ClassVar[Mapping[str, str]] = {
        "question": "The column that holds the question.",
        "context": "The column that holds the text in which the answer stands.",
    }
    loss: ClassVar[LossName] = "span"
    judged_as: ClassVar[Judging | None] = "span"
    default_metrics = ("answer_f1", "exact_match")
    AnswerModel = QuestionAnsweringAnswer

    def __init__(self, longest: int = LEAST) -> None:
        super().__init__()
        self.longest = longest

    @classmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Self:  # noqa: ARG003
        """How long answers are: twice the longest one of the rows, at least 30 tokens."""
        if columns.target is None:
            raise DataError(f"task {cls.name!r} needs a column of answers: add `label:` to data.columns")
        words = [len(text.split()) for value in rows[columns.target] for text, _ in read_answers(value)]
        if not words:
            raise DataError(f"column {columns.target!r} holds no answer at all")
        return cls(min(_MOST, max(LEAST, _TOKENS_A_WORD * max(words))))

    @classmethod
    def blank(cls, value: Any) -> bool:
        """Whether there is no answer."""
        return not read_answers(value)

    @classmethod
    def like(cls, label: Any, known: Any) -> Any:
        """The texts of the label in the form of the data's own answers."""
        return write_answers([text for text, _ in read_answers(label)], known)

    def state(self) -> dict[str, Any]:
        """The longest answer, in tokens."""
        return {"longest": self.longest}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state`."""
        return cls(int(state["longest"]))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Beginning and end."""
        return ("start", "end")

    def targets(self, values: Sequence[Any]) -> NDArray[Any]:
        """`int64 [n, 2]` of -1: without its row the place of an answer is not known; see `targets_to`."""
        return np.full((len(values), 2), -1, dtype=np.int64)

    def targets_to(self, rows: Sequence[Row], values: Sequence[Any]) -> NDArray[Any]:
        """The first and the last token of the answer in its context, `int64 [n, 2]`; -1 where it is not there."""
        found = self.targets(values)
        for position, (row, value) in enumerate(zip(rows, values, strict=True)):
            passage = passage_of(row)
            where = place(passage, read_answers(value))
            tokens = passage.tokens_of(*where) if where is not None else None
            if tokens is not None:
                found[position] = tokens
        return found

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The texts that are right, `object [n]` of tuples."""
        found = np.empty(len(values), dtype=object)
        found[:] = [tuple(text for text, _ in read_answers(value)) for value in values]
        return found

    def predictions(self, outputs: Arrays) -> Predictions:
        """As `predictions_to`, with the numbers of tokens for texts: whoever has the rows asks `predictions_to`."""
        return self._texts(self.answers(outputs))

    def predictions_to(self, rows: Sequence[Row], outputs: Arrays) -> Predictions:
        """The texts of the answers, `object [n]`."""
        return self._texts(self.answers_to(rows, outputs))

    def _texts(self, answers: Sequence[Answer]) -> Predictions:
        values = np.empty(len(answers), dtype=object)
        values[:] = [answer["answer"] for answer in answers]
        return Predictions(values)

    def answers(self, outputs: Arrays) -> list[Answer]:
        """As `answers_to`, of a context whose tokens are the numbers from 0 on."""
        counts = (outputs["logits"][..., 0] > ABSENT / 2).sum(axis=1).tolist()
        return self.answers_to([{"context": numbered(count)} for count in counts], outputs)

    def answers_to(self, rows: Sequence[Row], outputs: Arrays) -> list[Answer]:
        """The answer of each row.

        Args:
            rows: Checked rows: one of their columns holds a `Passage`.
            outputs: `logits` with as many places that are not `ABSENT` as the passage has tokens.
        """
        found = []
        for row, logits in zip(rows, outputs["logits"], strict=True):
            held = logits[logits[:, 0] > ABSENT / 2]
            found.append(self.best(passage_of(row), held)[0])
        return found

    def best(self, passage: Passage, logits: NDArray[Any]) -> tuple[Answer, float]:
        """The most likely answer in a context, and its score: the sum of its two logits.

        Args:
            passage: The context.
            logits: Of its tokens, `float32 [tokens, 2]`.
        """
        held = logits[: len(passage.offsets)]
        if not len(held):
            return {"answer": "", "confidence": 0.0, "start": 0, "end": 0}, 0.0
        first, last, confidence = best_span(held, self.longest)
        start, end = passage.characters_of(first, last)
        score = float(held[first, 0]) + float(held[last, 1])
        return {"answer": str(passage[start:end]), "confidence": confidence, "start": start, "end": end}, score

    def decision(self, answer: Answer) -> Any:
        """The text, also where it is but a mark or a space: another answer is held against it."""
        return answer["answer"] or "(none)"

    def error(self, answer: Answer, truth: Any) -> float:
        """0 where the answer is one of the right ones, articles and marks aside; 1 elsewhere."""
        try:
            right = read_answers(truth)
        except DataError as error:
            raise RequestError(
                f"a label is a text, or a list of texts that are right, not {truth!r:.80}", field="label"
            ) from error
        if not right:
            raise RequestError("a label is a text that is not blank", field="label")
        given = normal_answer(answer["answer"])
        return 0.0 if any(normal_answer(text) == given for text, _ in right) else 1.0


def passage_of(row: Row) -> Passage:
    """The context of a checked row."""
    return next(value for value in row.values() if isinstance(value, Passage))


def numbered(count: int) -> Passage:
    """A context whose tokens are the numbers from 0 on."""
    words = [str(number) for number in range(count)]
    passage = Passage(" ".join(words))
    ends = np.cumsum([len(word) + 1 for word in words], dtype=np.int64) - 1
    passage.ids = range(count)
    passage.offsets = np.stack([ends - [len(word) for word in words], ends], axis=1).reshape(-1, 2).astype(np.int64)
    return passage

"""`question-answering-or-none`: as `question-answering`, of contexts that need not hold an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, Answer, Arrays, DataError, Passage, Row
from tuneloop.tasks.answer_texts import place, read_answers, word_f1, write_answers
from tuneloop.tasks.question_answering import LEAST, QuestionAnswering, numbered, passage_of

_FURTHEST = 700.0
"""Margins beyond it are taken for it: their exponential is still a number."""


class QuestionAnsweringOrNone(QuestionAnswering):
    """The part of a context that answers a question, or that there is none (as in SQuAD 2.0).

    `logits` are `[n, places, 2]` as those of `question-answering`, with one place more that is not `ABSENT`, the first:
    it stands for there being none. Rows whose answer is an empty list or text are such.

    The answer is `""` where there being none scores higher by more than `threshold` than the best part of the context:
    0, until `settle` picks it.

    Source: J. Devlin et al., "BERT", NAACL 2019, section 4.3; P. Rajpurkar et al., "Know What You Don't Know",
    ACL 2018, whose evaluation script picks the threshold so.
    """

    name = "question-answering-or-none"

    def __init__(self, longest: int = LEAST, threshold: float = 0.0) -> None:
        super().__init__(longest)
        self.threshold = threshold

    @classmethod
    def blank(cls, value: Any) -> bool:
        """Only where nothing is said: an empty list says that there is no answer."""
        return value is None

    @classmethod
    def like(cls, label: Any, known: Any) -> Any:
        """The texts of the label, or that there are none, in the form of the data's own answers."""
        return write_answers(_right(label), known)

    def state(self) -> dict[str, Any]:
        """The longest answer, in tokens, and the threshold."""
        return {**super().state(), "threshold": self.threshold}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state`."""
        return cls(int(state["longest"]), float(state["threshold"]))

    def settle(self, rows: Sequence[Row], outputs: Arrays, values: Sequence[Any]) -> Self:
        """The task with the threshold that gives these rows the highest F1 over words; of equal ones nearest to 0."""
        margins, gains = [], []
        for row, logits, right in zip(rows, outputs["logits"], self.references(values), strict=True):
            found, margin = self._find(passage_of(row), logits)
            margins.append(margin)
            gains.append(word_f1("", right) - word_f1(found["answer"], right))
        return type(self)(self.longest, best_threshold(np.array(margins), np.array(gains)))

    def targets_to(self, rows: Sequence[Row], values: Sequence[Any]) -> NDArray[Any]:
        """The first and the last place of the answer, `int64 [n, 2]`: 0 where there is none, -1 where it is absent."""
        found = self.targets(values)
        for position, (row, value) in enumerate(zip(rows, values, strict=True)):
            right = [(text, start) for text, start in read_answers(value) if text.strip()]
            passage = passage_of(row)
            where = place(passage, right)
            tokens = passage.tokens_of(*where) if where is not None else None
            if not right:
                found[position] = 0
            elif tokens is not None:
                found[position] = np.add(tokens, 1)
        return found

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The texts that are right, `object [n]` of tuples; an empty text where there is none."""
        found = np.empty(len(values), dtype=object)
        found[:] = [tuple(_right(value)) or ("",) for value in values]
        return found

    def answers(self, outputs: Arrays) -> list[Answer]:
        """As `answers_to`, of a context whose tokens are the numbers from 0 on."""
        counts = (outputs["logits"][..., 0] > ABSENT / 2).sum(axis=1).tolist()
        return self.answers_to([{"context": numbered(max(0, count - 1))} for count in counts], outputs)

    def answers_to(self, rows: Sequence[Row], outputs: Arrays) -> list[Answer]:
        """The answer of each row.

        Args:
            rows: Checked rows: one of their columns holds a `Passage`.
            outputs: `logits` with one place more that is not `ABSENT` than the passage has tokens.
        """
        answers = []
        for row, logits in zip(rows, outputs["logits"], strict=True):
            found, margin = self._find(passage_of(row), logits)
            # The best part and none are as far apart in probability as their scores are.
            none = found["confidence"] * math.exp(margin)
            if margin > self.threshold:
                answers.append({"answer": "", "confidence": none / (1.0 + none), "start": 0, "end": 0})
            else:
                answers.append({**found, "confidence": found["confidence"] / (1.0 + none)})
        return answers

    def _find(self, passage: Passage, logits: NDArray[Any]) -> tuple[Answer, float]:
        """The best part of a context, and by how much there being none scores higher."""
        held = logits[logits[:, 0] > ABSENT / 2]
        found, score = self.best(passage, held[1:])
        if len(held) < 2:
            return {**found, "confidence": 1.0}, -_FURTHEST
        margin = float(held[0, 0]) + float(held[0, 1]) - score
        return found, min(_FURTHEST, max(-_FURTHEST, margin))

    def error(self, answer: Answer, truth: Any) -> float:
        """0 where the answer is one of the right ones, or there is none as the label says; 1 elsewhere."""
        try:
            right = _right(truth)
        except DataError:
            right = ["?"]
        if right:
            return super().error(answer, truth)
        return 0.0 if not answer["answer"] else 1.0


def best_threshold(margins: NDArray[np.float64], gains: NDArray[np.float64]) -> float:
    """The threshold that gains most where every row with a margin above it is answered with none.

    Args:
        margins: By how much there being none scores higher, `[n]`.
        gains: What each row gains by that answer, `[n]`; negative: it loses.

    Returns:
        Half way between two margins, or beyond all of them; of several that gain as much the one nearest to 0.
    """
    order = np.argsort(margins)
    rising = margins[order]
    # Rows with one margin are on one side, whatever rounding does: no threshold is where they are.
    apart = np.unique(rising)
    between = (apart[:-1] + apart[1:]) / 2
    tried = np.concatenate([rising[:1] - 1.0, between, rising[-1:] + 1.0, [0.0]])
    # Of the rows in rising order those behind the last one that is not above.
    behind = np.concatenate([[0.0], np.cumsum(gains[order][::-1])])[::-1]
    gained = behind[np.searchsorted(rising, tried, side="right")]
    best = tried[gained >= gained.max() - 1e-9]
    return float(best[np.abs(best).argmin()])


def _right(value: Any) -> list[str]:
    return [text for text, _ in read_answers(value) if text.strip()]

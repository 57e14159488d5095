"""`question-answering`: forms of answers, places, the best span, and errors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuneloop.api import ABSENT, Columns, DataError, Passage, RequestError
from tuneloop.tasks import QuestionAnswering
from tuneloop.tasks.answer_texts import normal_answer, place, read_answers, write_answers
from tuneloop.tasks.spans import best_span

COLUMNS = Columns({"question": "q", "context": "c"}, target="a")


def passage(text: str) -> Passage:
    made = Passage(text)
    made.offsets = np.array([match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]).reshape(-1, 2)
    made.ids = range(len(made.offsets))
    return made


FORMS = [
    "the cat",
    ["the cat"],
    {"text": "the cat", "answer_start": 4},
    [{"text": "the cat", "answer_start": -1}],
    {"text": ["the cat"], "answer_start": [4]},
    {"text": ["the cat"]},
]


@pytest.mark.parametrize("value", FORMS)
def test_forms_of_answers(value: Any) -> None:
    assert [text for text, _ in read_answers(value)] == ["the cat"]
    again = write_answers(["a dog"], value)
    assert type(again) is type(value)
    assert [text for text, _ in read_answers(again)] == ["a dog"]
    assert QuestionAnswering.like("a dog", value) == again


@pytest.mark.parametrize("value", [3, {"answer": "x"}, [[3]], {"text": ["a"], "answer_start": [1, 2]}, {"text": 3}])
def test_what_is_no_answer(value: Any) -> None:
    with pytest.raises(DataError, match="is no answer"):
        read_answers(value)
    with pytest.raises(RequestError, match="a label is a text"):
        QuestionAnswering().error({"answer": "x"}, value)


def test_rows_without_an_answer() -> None:
    assert [QuestionAnswering.blank(value) for value in (None, "", " ", [], {"text": []}, "x")] == [True] * 5 + [False]
    with pytest.raises(DataError, match="holds no answer at all"):
        QuestionAnswering.fit(COLUMNS, Dataset.from_dict({"a": [[], []]}))
    task = QuestionAnswering.fit(COLUMNS, Dataset.from_dict({"a": ["one", "word " * 40]}))
    assert task.longest == 80


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        ([("dog", 11)], (11, 14)),
        ([("dog", 5)], (4, 7)),
        ([("bird", 0), ("Cat", -1)], (20, 23)),
        ([("A DOG", -1)], (9, 14)),
        ([("bird", -1)], None),
        ([], None),
    ],
)
def test_where_answers_stand(answers: list[tuple[str, int]], where: tuple[int, int] | None) -> None:
    assert place("The dog, a dog, the Cat", answers) == where


def test_targets_are_the_tokens_of_the_answer() -> None:
    rows = [{"q": "?", "c": passage("The dog, a dog.")}, {"q": "?", "c": passage("no")}]
    task = QuestionAnswering()
    assert task.targets_to(rows, [[{"text": "a dog", "answer_start": 9}], ["dog"]]).tolist() == [[3, 4], [-1, -1]]
    assert task.targets(["dog"]).tolist() == [[-1, -1]]


def test_answers_quote_the_context_and_never_run_backwards() -> None:
    rows = [{"q": "?", "c": passage("The dog, a dog.")}]
    logits = np.full((1, 8, 2), ABSENT, dtype=np.float32)
    logits[0, 1:7] = 0.0
    logits[0, 5, 0] = logits[0, 2, 1] = 5.0
    logits[0, 4, 0], logits[0, 5, 1] = 4.0, 4.0
    (answer,) = QuestionAnswering().answers_to(rows, {"logits": logits})
    assert (answer["answer"], answer["start"], answer["end"]) == ("dog", 11, 14)
    assert answer["start"] < answer["end"]
    assert QuestionAnswering().predictions_to(rows, {"logits": logits}).values.tolist() == ["dog"]


@given(
    arrays(np.float32, st.tuples(st.integers(1, 12), st.just(2)), elements=st.floats(-20, 20, width=32)),
    st.integers(1, 6),
)
@settings(max_examples=80, deadline=None)
def test_the_best_span_is_that_of_all_spans(logits: np.ndarray, longest: int) -> None:
    sums = {
        (i, j): float(logits[i, 0]) + float(logits[j, 1])
        for i in range(len(logits))
        for j in range(i, min(len(logits), i + longest))
    }
    first, last, confidence = best_span(logits, longest)
    assert sums[first, last] == pytest.approx(max(sums.values()))
    weights = np.exp(np.array(list(sums.values())) - max(sums.values()))
    assert confidence == pytest.approx(1 / weights.sum(), rel=1e-5)


def test_errors() -> None:
    task = QuestionAnswering()
    assert task.error({"answer": "The  dog."}, "dog") == 0.0
    assert task.error({"answer": "dog"}, ["cat", "a dog"]) == 0.0
    assert task.error({"answer": "cat"}, {"text": ["dog"], "answer_start": [0]}) == 1.0
    with pytest.raises(RequestError, match="not blank"):
        task.error({"answer": "cat"}, " ")
    assert normal_answer("A man, an  Ant; the\tend") == "man ant end"
    assert QuestionAnswering.from_state(task.state()).longest == task.longest

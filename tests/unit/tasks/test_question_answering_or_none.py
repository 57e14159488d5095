"""`question-answering-or-none`: places, the threshold, and what is right where there is no answer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api import ABSENT, Columns, Passage, RequestError
from tuneloop.tasks import QuestionAnsweringOrNone
from tuneloop.tasks.answer_texts import word_f1
from tuneloop.tasks.question_answering_or_none import best_threshold

COLUMNS = Columns({"question": "q", "context": "c"}, target="a")
NOTHING = ([], "", " ", {"text": [], "answer_start": []}, [""], [{"text": "", "answer_start": 0}])


def passage(text: str) -> Passage:
    made = Passage(text)
    made.offsets = np.array([match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]).reshape(-1, 2)
    made.ids = range(len(made.offsets))
    return made


def logits(none: float, best: float, at: tuple[int, int] = (1, 2), tokens: int = 4, width: int = 8) -> np.ndarray:
    """Of a row whose question is at places 1 and 2, and its context behind it; `best` is what both edges add up to."""
    made = np.full((width, 2), ABSENT, dtype=np.float32)
    made[0] = none / 2
    made[3 : 3 + tokens] = -20.0
    made[3 + at[0], 0] = made[3 + at[1], 1] = best / 2
    return made


@pytest.mark.parametrize("value", NOTHING)
def test_an_empty_answer_says_that_there_is_none(value: Any) -> None:
    task = QuestionAnsweringOrNone()
    assert not task.blank(value)
    assert task.targets_to([{"c": passage("The dog, a dog.")}], [value]).tolist() == [[0, 0]]
    assert task.references([value]).tolist() == [("",)]
    assert task.error({"answer": ""}, value) == 0.0
    assert task.error({"answer": "dog"}, value) == 1.0
    for known in ("cat", ["cat"], {"text": "cat", "answer_start": 1}, {"text": ["cat"], "answer_start": [1]}):
        again = task.like(value, known)
        assert type(again) is type(known)
        assert task.references([again]).tolist() == [("",)]


def test_nothing_said_is_a_row_left_out() -> None:
    assert QuestionAnsweringOrNone.blank(None)


def test_answers_that_are_there_count_from_the_second_place() -> None:
    rows = [{"c": passage("The dog, a dog.")}, {"c": passage("no")}]
    task = QuestionAnsweringOrNone.fit(COLUMNS, Dataset.from_dict({"a": [["a dog"], []]}))
    assert task.targets_to(rows, [{"text": ["a dog"], "answer_start": [9]}, ["dog"]]).tolist() == [[4, 5], [-1, -1]]
    assert task.references([["a dog", "dog"]]).tolist() == [("a dog", "dog")]
    assert task.error({"answer": ""}, ["dog"]) == 1.0
    assert task.error({"answer": "the dog"}, ["dog"]) == 0.0
    with pytest.raises(RequestError, match="a label is a text"):
        task.error({"answer": ""}, 3)


def test_there_is_none_where_its_score_passes_the_threshold() -> None:
    row, batch = {"c": passage("on the left side")}, np.stack([logits(3.0, 2.0), logits(1.0, 2.0), logits(3.0, 2.0)])
    rows = [row] * len(batch)
    plain = QuestionAnsweringOrNone().answers_to(rows, {"logits": batch})
    assert [answer["answer"] for answer in plain] == ["", "the left", ""]
    assert (plain[0]["start"], plain[0]["end"]) == (0, 0)
    assert plain[0]["confidence"] == pytest.approx(np.exp(3) / (np.exp(3) + np.exp(2)), rel=1e-3)
    assert plain[1]["confidence"] == pytest.approx(np.exp(2) / (np.exp(1) + np.exp(2)), rel=1e-3)
    careful = QuestionAnsweringOrNone(30, 1.5).predictions_to(rows, {"logits": batch})
    assert careful.values.tolist() == ["the left"] * 3


def test_the_threshold_is_what_serves_the_validation_rows_best() -> None:
    rows = [{"c": passage("on the left side")}] * 4
    outputs = {"logits": np.stack([logits(none, 0.0) for none in (1.0, 2.0, 4.0, 6.0)])}
    # No score is above 0 where there is an answer, but for the model's bias: it says "none" too often.
    values: list[Any] = [["the left"], ["left"], [], []]
    settled = QuestionAnsweringOrNone().settle(rows, outputs, values)
    assert settled.threshold == pytest.approx(3.0, abs=1e-5)
    assert QuestionAnsweringOrNone.from_state(settled.state()).threshold == settled.threshold
    assert [answer["answer"] for answer in settled.answers_to(rows, outputs)] == ["the left", "the left", "", ""]
    assert QuestionAnsweringOrNone().settle(rows, outputs, [["the left"]] * 4).threshold > 6.0
    assert QuestionAnsweringOrNone().settle(rows, outputs, [[]] * 4).threshold == 0.0
    assert QuestionAnsweringOrNone().settle([], {"logits": outputs["logits"][:0]}, []).threshold == 0.0


@given(st.lists(st.tuples(st.integers(-6, 6), st.sampled_from([-1.0, -0.5, 0.0, 0.4, 1.0])), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_no_threshold_gains_more(pairs: list[tuple[int, float]]) -> None:
    margins, gains = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))

    def gained(threshold: float) -> float:
        return float(gains[margins > threshold].sum())

    found = best_threshold(margins, gains)
    everywhere = [gained(threshold) for threshold in np.arange(-7.75, 8.0, 0.5)]
    assert gained(found) == pytest.approx(max(everywhere))


def test_words_shared_with_a_right_text() -> None:
    assert word_f1("the big dog", ["a dog", "cat"]) == pytest.approx(2 / 3)
    assert (word_f1("", [""]), word_f1("the", [""]), word_f1("dog", [""]), word_f1("", ["dog"])) == (1, 1, 0, 0)
    assert word_f1("dog", []) == 0.0

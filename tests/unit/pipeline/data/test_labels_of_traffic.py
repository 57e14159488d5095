"""Labels that came back from traffic join the project's rows in the form that these have."""

from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset

from tuneloop.pipeline.data.split import _blank, _with_feedback
from tuneloop.tasks import MultiLabelClassification, QuestionAnswering, TextClassification

ROW = {"question": "who?", "context": "a dog"}


@pytest.mark.parametrize(
    "known",
    [
        "a cat",
        ["a cat"],
        [{"text": "a cat", "answer_start": 3}],
        {"text": ["a cat"], "answer_start": [3]},
    ],
)
@pytest.mark.parametrize("label", ["a dog", ["a dog", "dog"]])
def test_answers_join_answers_of_any_form(known: Any, label: Any) -> None:
    data = Dataset.from_dict({"question": ["what?"], "context": ["is a cat"], "label": [known]})
    row = {**ROW, "label": QuestionAnswering.like(label, data[0]["label"])}
    joined = _with_feedback(data, [row], data)
    assert joined is not None
    assert joined.features == data.features
    assert QuestionAnswering().references(joined["label"]).tolist()[1][0] == "a dog"


def test_which_rows_are_without_an_answer() -> None:
    assert [_blank(value, MultiLabelClassification.blank) for value in ([], ["a"], None)] == [False, False, True]
    assert [_blank(value, TextClassification.blank) for value in ("", [], 0, False, "x")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [_blank(value, QuestionAnswering.blank) for value in ("", [], {"text": []}, "x")] == [
        True,
        True,
        True,
        False,
    ]
    assert [_blank(value) for value in ("", " ", [], float("nan"), 0, "x")] == [True, True, True, True, False, False]

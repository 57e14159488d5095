"""`multi-label-classification`: labels, probabilities, answers and what does not fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuneloop.api import Columns, DataError, RequestError
from tuneloop.tasks import MultiLabelClassification
from tuneloop.tasks.multi_label import sigmoid

COLUMNS = Columns({"text": "t"}, target="l")
TASK = MultiLabelClassification(["a", "b", "c"])


def rows(*labels: list[str] | None) -> Dataset:
    return Dataset.from_dict({"t": ["x"] * len(labels), "l": list(labels)})


def test_labels_are_sorted_and_known_ones_keep_their_positions() -> None:
    assert MultiLabelClassification.fit(COLUMNS, rows(["b", "a"], [], None)).labels == ("a", "b")
    assert MultiLabelClassification.fit(COLUMNS, rows(["b"], ["c"]), known=("z", "b")).labels == ("z", "b", "c")


def test_what_is_no_list_of_labels() -> None:
    with pytest.raises(DataError, match=r"row 1: the labels are a list of texts .*, not 'a'"):
        MultiLabelClassification.units([["a"], "a"])
    with pytest.raises(DataError, match="holds no label"):
        MultiLabelClassification.fit(COLUMNS, rows([], []))
    with pytest.raises(RequestError, match="empty where none applies, not 'a'"):
        TASK.error({"labels": ["a"]}, "a")


def test_an_empty_list_is_an_answer() -> None:
    assert [MultiLabelClassification.blank(value) for value in ([], ["a"], None, "")] == [False, False, True, True]
    assert TASK.targets([[], ["c", "a"], ["new"]]).tolist() == [[0, 0, 0], [1, 0, 1], [0, 0, 0]]


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.just(3)), elements=st.floats(-1e4, 1e4, width=32)))
def test_answers_agree_with_predictions(logits: np.ndarray) -> None:
    answers, predictions = TASK.answers({"logits": logits}), TASK.predictions({"logits": logits})
    assert predictions.scores is not None
    for answer, values, scores in zip(answers, predictions.values, predictions.scores, strict=True):
        assert set(answer["labels"]) == {TASK.labels[place] for place in np.flatnonzero(values)}
        assert list(answer["scores"].values()) == scores.tolist()
        assert answer["labels"] == sorted(answer["labels"], key=lambda label: -answer["scores"][label])
        assert 0.5 <= answer["confidence"] <= 1
        TASK.AnswerModel.model_validate(answer)


def test_sigmoid_does_not_overflow() -> None:
    found = sigmoid(np.array([-1e30, -2.0, 0.0, 1e30], dtype=np.float32))
    assert found.tolist() == pytest.approx([0.0, 1 / (1 + math.exp(2)), 0.5, 1.0])


def test_errors_are_of_whole_rows() -> None:
    assert TASK.error({"labels": ["a", "b"]}, ["b", "a"]) == 0.0
    assert TASK.error({"labels": ["a"]}, ["b", "a"]) == 1.0
    assert TASK.error({"labels": []}, []) == 0.0

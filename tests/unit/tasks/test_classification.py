"""Labels, softmax and answers of the classification tasks."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuneloop.api import Columns, DataError, RequestError
from tuneloop.tasks import TabularClassification, TextClassification
from tuneloop.tasks.classification import softmax

COLUMNS = Columns({"text": "message"}, target="language")


def rows(*labels: object) -> Dataset:
    return Dataset.from_dict({"message": ["x"] * len(labels), "language": list(labels)})


def test_labels_are_sorted_and_known_ones_keep_their_positions() -> None:
    assert TextClassification.fit(COLUMNS, rows("it", "en", None, "it")).labels == ("en", "it")
    grown = TextClassification.fit(COLUMNS, rows("de", "en", "it"), known=("it", "en"))
    assert grown.labels == ("it", "en", "de")


def test_one_label_is_not_a_classification() -> None:
    with pytest.raises(DataError, match="'language' holds 1 label"):
        TextClassification.fit(COLUMNS, rows("en", "en"))
    with pytest.raises(DataError, match="needs a label column"):
        TabularClassification.fit(Columns({}, target=None), rows("a", "b"))


def test_state_restores_the_task() -> None:
    task = TextClassification(["en", "it"])
    assert TextClassification.from_state(task.state()).output_names == ("en", "it")


def test_targets_of_unknown_labels_are_minus_one() -> None:
    assert TextClassification(["en", "it"]).targets(["it", "de", "en"]).tolist() == [1, -1, 0]


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.just(3)), elements=st.floats(-1e4, 1e4, width=32)))
def test_answers_agree_with_predictions(logits: np.ndarray) -> None:
    task = TextClassification(["a", "b", "c"])
    answers, predictions = task.answers({"logits": logits}), task.predictions({"logits": logits})
    for answer, value in zip(answers, predictions.values, strict=True):
        assert answer["label"] == task.labels[value]
        assert answer["confidence"] == max(answer["scores"].values())
        assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-4)
        task.AnswerModel.model_validate(answer)


def test_softmax_does_not_overflow() -> None:
    assert softmax(np.array([[1e30, 0]], dtype=np.float32)).tolist() == [[1.0, 0.0]]


def test_errors_of_answers() -> None:
    task = TextClassification(["en", "it"])
    assert task.error({"label": "en"}, "en") == 0
    assert task.error({"label": "en"}, "nl") == 1
    with pytest.raises(RequestError, match="label"):
        task.error({"label": "en"}, ["en"])

from __future__ import annotations

import numpy as np
import pydantic

from tuneloop.serving.doors.answer_tensors import AnswerTensor, answer_tensors, write_answers
from tuneloop.tasks.regression import RegressionAnswer


class Mixed(pydantic.BaseModel):
    id: str
    name: str
    count: int
    share: float
    sure: bool
    scores: dict[str, float]
    words: list[str]
    maybe: float | None


def test_fields_that_are_values_become_tensors_and_others_do_not() -> None:
    assert [(one.name, one.dtype, one.by_output) for one in answer_tensors(Mixed)] == [
        ("id", "object", False),
        ("name", "object", False),
        ("count", "int64", False),
        ("share", "float64", False),
        ("sure", "bool", False),
        ("scores", "float64", True),
    ]
    assert [one.name for one in answer_tensors(RegressionAnswer)] == ["id", "value"]


def test_answers_are_written_in_order_whatever_the_order_of_their_scores() -> None:
    answers = [
        {"name": "a", "count": 1, "share": 0.5, "sure": True, "scores": {"no": 0.25, "yes": 0.75}},
        {"name": "é", "count": 2, "share": 1, "sure": False, "scores": {"yes": 1.0, "no": 0.0}},
    ]
    found = write_answers(answer_tensors(Mixed), answers, ["x", "y"])
    assert found["id"].tolist() == ["x", "y"]
    assert found["name"].tolist() == ["a", "é"]
    assert [found[name].dtype for name in ("count", "share", "sure")] == [np.int64, np.float64, np.bool_]
    assert found["scores"].tolist() == [[0.25, 0.75], [0.0, 1.0]]


def test_metadata_names_the_columns_of_scores() -> None:
    assert AnswerTensor("scores", "float64", by_output=True).metadata(("no", "yes")) == {
        "name": "scores", "datatype": "FP64", "shape": [-1, 2], "parameters": {"labels": ["no", "yes"]}
    }  # fmt: skip
    assert AnswerTensor("label", "object").metadata(()) == {"name": "label", "datatype": "BYTES", "shape": [-1]}

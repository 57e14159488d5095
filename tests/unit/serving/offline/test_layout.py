from __future__ import annotations

import pytest

from tuneloop.api import DataError, ServingError
from tuneloop.serving.offline.layout import Field, Layout, answer_fields
from tuneloop.serving.offline.record import Record

ANSWERS = [
    {"confidence": 0.5, "label": "a", "scores": {"a": 0.5, "b": 0.5}, "sure": True, "rank": 1, "near": {"x": 1}},
    {"confidence": 1, "label": None, "scores": {"a": 1.0, "b": 0.0}, "sure": False, "rank": 2, "near": {"y": 2}},
]
RECORD = Record("a.csv", "line", 2, {"id": "7", "text": "x"})


def test_objects_are_opened_where_all_answers_have_their_keys() -> None:
    assert answer_fields(ANSWERS, ("label", "confidence")) == (
        Field(("label",), "text"),
        Field(("confidence",), "number"),
        Field(("scores", "a"), "number"),
        Field(("scores", "b"), "number"),
        Field(("sure",), "truth"),
        Field(("rank",), "whole"),
        Field(("near",), "json"),
    )


def test_a_row_is_what_is_kept_and_the_fields() -> None:
    layout = Layout(("id",), answer_fields(ANSWERS, ("label",)), "p_")
    assert layout.names == ("id", "p_label", "p_confidence", "p_scores.a", "p_scores.b", "p_sure", "p_rank", "p_near")
    assert layout.values(1, RECORD, ANSWERS[0]) == ("7", "a", 0.5, 0.5, 0.5, True, 1, {"x": 1})
    assert layout.values(1, RECORD, None) == ("7", *[None] * 7)


def test_without_kept_columns_the_number_stands_for_the_record() -> None:
    layout = Layout((), (Field(("value",), "number"),))
    assert layout.names == ("row", "value")
    assert layout.values(12, RECORD, {"value": 3.0}) == (12, 3.0)


@pytest.mark.parametrize("answer", [{"value": 1.0, "more": 2}, {}, {"other": 1}, {"value": {"a": 1}, "b": 1}])
def test_an_answer_of_another_shape_is_an_error(answer: dict[str, object]) -> None:
    with pytest.raises(ServingError, match=r"a\.csv, line 2.*other fields"):
        Layout((), (Field(("value",), "number"),)).values(1, RECORD, answer)


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"'label'.*--prefix"):
        Layout(("label",), (Field(("label",), "text"),))


def test_where_all_columns_are_kept_none_is_lost() -> None:
    layout = Layout(("id",), (), closed=True)
    with pytest.raises(DataError, match=r"column 'text'.*--keep"):
        layout.values(1, RECORD, {})

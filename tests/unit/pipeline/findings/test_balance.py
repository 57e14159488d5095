from __future__ import annotations

from typing import Any

import pytest

from tuneloop.api import DataError, Task
from tuneloop.pipeline.findings.balance import balance, count_labels
from tuneloop.tasks.multi_label import MultiLabelClassification
from tuneloop.tasks.text_classification import TextClassification
from tuneloop.tasks.token_classification import TokenClassification


def look(answers: list[Any], kind: type[Task] = TextClassification) -> dict[str, dict[str, Any]]:
    found = balance(kind, [{"y": answer} for answer in answers], "y", count_labels(kind, answers))
    return {one["name"]: one for one in found}


def test_one_in_twenty_is_told_with_its_rows() -> None:
    found = look(["rare" if i % 20 == 7 else "often" for i in range(400)])
    assert list(found) == ["imbalance"]
    assert found["imbalance"]["rows"] == [7, 27, 47, 67, 87]
    assert "label 'often' is there 19 times as often as 'rare' (380 and 20)" in found["imbalance"]["text"]


def test_labels_of_which_there_are_few_are_told_the_rarest_first() -> None:
    answers: list[Any] = [f"label {i % 3}" for i in range(60)] + [None]
    answers[10] = answers[40] = "two"
    answers[50] = "one"
    found = look(answers)
    assert list(found) == ["rare classes", "imbalance"]
    assert found["rare classes"]["rows"] == [50, 10, 40]
    assert "2 labels are rare: one (1), two (2)" in found["rare classes"]["text"]
    assert found["imbalance"]["rows"] == [50]


def test_many_labels_of_equal_numbers_and_seven_times_as_many_are_none() -> None:
    assert look([f"label {i % 80}" for i in range(1600)]) == {}
    assert look(["rare" if i % 8 == 0 else "often" for i in range(800)]) == {}


def test_among_many_labels_those_far_below_their_part_are_rare() -> None:
    answers = [f"label {i % 50}" for i in range(5000)]
    answers = [answer for i, answer in enumerate(answers) if answer != "label 7" or i < 750]
    found = look(answers)
    assert "1 labels are rare: label 7 (15)" in found["rare classes"]["text"]
    assert found["rare classes"]["rows"] == [7, 57, 107, 157, 207]


def test_of_several_labels_in_a_row_each_counts() -> None:
    answers = [["a", "b", "c"] if i in (3, 5) else ["a", "b"] if i % 2 else [] for i in range(100)]
    found = look(answers, MultiLabelClassification)
    assert found["rare classes"]["rows"] == [3, 5]
    assert found["imbalance"]["rows"] == [3, 5]


def test_between_the_labels_of_words_there_is_no_balance() -> None:
    answers = [["O"] * 20 + (["B-city", "B-city"] if i % 2 else []) for i in range(100)]
    assert look(answers, TokenClassification) == {}
    answers[4] = ["O", "B-name", "B-name"]
    assert look(answers, TokenClassification)["rare classes"]["rows"] == [4]


@pytest.mark.parametrize(("answers", "said"), [([None, None], "no label at all"), (["a", "a"], "only the label 'a'")])
def test_without_two_labels_there_is_nothing_to_learn(answers: list[Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        look(answers)

"""`automatic-speech-recognition`: characters of the training texts, and when a text is right."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset

from tuneloop.api import NO_PLACE, Columns, DataError, RequestError
from tuneloop.tasks import AutomaticSpeechRecognition
from tuneloop.tasks.transcripts import BLANK

COLUMNS = Columns({"audio": "sound"}, target="said")


def test_characters_of_the_texts_behind_those_that_are_known() -> None:
    rows = Dataset.from_dict({"said": ["a dog", "  no  "]})
    task = AutomaticSpeechRecognition.fit(COLUMNS, rows)
    assert task.output_names == (BLANK, " ", "a", "d", "g", "n", "o")
    wider = AutomaticSpeechRecognition.fit(COLUMNS, rows, (BLANK, "z", "a"))
    assert wider.output_names == (BLANK, "z", "a", " ", "d", "g", "n", "o")


def test_targets_leave_out_what_no_training_text_has() -> None:
    task = AutomaticSpeechRecognition([BLANK, " ", "a", "b"])
    assert task.targets(["abc a", ["b", "a"], "xyz"]).tolist() == [
        [2, 3, 1, 2],
        [3, *[NO_PLACE] * 3],
        [NO_PLACE] * 4,
    ]
    assert task.targets([]).shape == (0, 0)


def test_beams_are_a_part_of_the_state() -> None:
    task = AutomaticSpeechRecognition([BLANK, "a"], beams=4)
    again = AutomaticSpeechRecognition.from_state(task.state())
    logits = np.log(np.array([[[0.6, 0.4], [0.6, 0.4]]], dtype=np.float32))
    assert [one.answers({"logits": logits})[0]["text"] for one in (task, again)] == ["a", "a"]
    old = AutomaticSpeechRecognition.from_state({"labels": [BLANK, "a"]})
    assert old.answers({"logits": logits})[0]["text"] == "", "a version from before there were beams"


def test_no_text_at_all() -> None:
    with pytest.raises(DataError, match="holds no transcript"):
        AutomaticSpeechRecognition.fit(COLUMNS, Dataset.from_dict({"said": ["", "  "]}))
    with pytest.raises(DataError, match="row 1, column 'said'"):
        AutomaticSpeechRecognition.examine(COLUMNS, Dataset.from_dict({"said": [["a"], [None]]}))
    assert AutomaticSpeechRecognition.blank([" "])


def test_case_and_marks_are_no_errors() -> None:
    task = AutomaticSpeechRecognition([BLANK, "a"])
    answer = {"text": "Hello, World", "confidence": 1.0}
    assert task.error(answer, "hello world.") == 0.0
    assert task.error(answer, ["hallo", "Hello world"]) == 0.0
    assert task.error(answer, "hello") == 1.0
    assert task.references(["Hello!", ["A", "b."]]).tolist() == [("hello",), ("a", "b")]
    with pytest.raises(RequestError, match="not blank"):
        task.error(answer, " ")


def test_the_decision_and_the_form_of_labels() -> None:
    task = AutomaticSpeechRecognition([BLANK, "a"])
    assert task.decision({"text": "", "confidence": 0.0}) == "(none)"
    assert task.like("a b", ["x"]) == ["a b"]
    assert task.like("a b", "x") == "a b"

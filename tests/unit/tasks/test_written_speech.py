"""`automatic-speech-recognition` by a decoder: the other form of one task."""

from __future__ import annotations

import pytest
from datasets import Dataset

from tuneloop.api import Columns, DataError
from tuneloop.tasks import AutomaticSpeechRecognition
from tuneloop.tasks.written import writes
from tuneloop.tasks.written_speech import WrittenSpeech

COLUMNS = Columns({"audio": "sound", "completion": "said"}, target="said")
ANSWER = {
    "text": "Yes, Sir.",
    "finish_reason": "stop",
    "prompt_tokens": 0,
    "completion_tokens": 4,
    "confidence": 0.5,
}


def test_both_forms_have_one_name_and_one_way_back() -> None:
    assert WrittenSpeech.name == AutomaticSpeechRecognition.name
    for loss, form in ((None, AutomaticSpeechRecognition), ("ctc", AutomaticSpeechRecognition)):
        assert AutomaticSpeechRecognition.trained_by(loss) is form  # type: ignore[arg-type]
    assert AutomaticSpeechRecognition.trained_by("likelihood") is WrittenSpeech
    task = WrittenSpeech.fit(COLUMNS, Dataset.from_dict({"said": ["a"]}))
    assert writes(task)
    assert isinstance(AutomaticSpeechRecognition.from_state(task.state()), WrittenSpeech)


def test_texts_are_compared_without_case_and_marks() -> None:
    task = WrittenSpeech()
    assert task.told(" Yes, Sir.") == "Yes, Sir."
    assert task.said(ANSWER) == "yes sir"
    assert task.references(["Yes; sir!"]).tolist() == [("yes sir",)]
    assert task.error(ANSWER, "yes sir") == 0.0
    assert task.error(ANSWER, "no sir") == 1.0
    assert task.decision({**ANSWER, "text": ""}) == "(none)"


def test_transcripts_are_texts() -> None:
    WrittenSpeech.examine(COLUMNS, Dataset.from_dict({"said": ["a", None]}))
    with pytest.raises(DataError, match="row 0, column 'said'"):
        WrittenSpeech.examine(COLUMNS, Dataset.from_dict({"said": [["a"], ["b"]]}))
    assert WrittenSpeech.blank("  ")

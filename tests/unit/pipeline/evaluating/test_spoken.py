"""Targets as texts, and the most frequent text as an answer to every sound."""

from __future__ import annotations

import numpy as np

from tuneloop.api import NO_PLACE
from tuneloop.pipeline.evaluating.spoken import constant_transcript, spelling
from tuneloop.tasks import AutomaticSpeechRecognition
from tuneloop.tasks.transcripts import BLANK

TASK = AutomaticSpeechRecognition([BLANK, " ", "a", "b"])


def test_targets_are_texts_again() -> None:
    texts = ["ab a", "b", ""]
    assert spelling(TASK, TASK.targets(texts)) == texts


def test_the_most_frequent_text_answers_all() -> None:
    train = TASK.targets(["ab", "b", "ab"])
    test = np.array([[2, 3, NO_PLACE], [3, NO_PLACE, NO_PLACE]])
    predictions, references = constant_transcript(TASK, train, test)
    assert predictions.values.tolist() == ["ab", "ab"]
    assert references.tolist() == [("ab",), ("b",)]

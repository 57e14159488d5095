"""Texts that do not fit into their frames, and characters that training never had."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api import NO_PLACE
from tuneloop.pipeline.findings.unsaid import needed_frames, too_long, unknown_characters
from tuneloop.tasks import AutomaticSpeechRecognition
from tuneloop.tasks.transcripts import BLANK


def said(path: tuple[int, ...]) -> list[int]:
    """What the outputs of frames say: repeated ones are one, blanks are none."""
    return [place for place, _ in itertools.groupby(path) if place]


@given(st.lists(st.integers(1, 2), max_size=4))
@settings(deadline=None, max_examples=40)
def test_fewer_frames_cannot_say_a_text(text: list[int]) -> None:
    (needed,) = needed_frames(np.array([[*text, NO_PLACE]])).tolist()
    sayable = {
        len(path) for count in range(8) for path in itertools.product(range(3), repeat=count) if said(path) == text
    }
    assert needed == min(sayable)


def test_texts_that_fit_are_no_finding() -> None:
    fits = {"train": np.array([3, 0])}
    assert too_long(fits, {"train": np.array([3, 5])}, {"train": np.array([0, 1])}) == []
    assert too_long({}, {}, {}) == []


def test_texts_that_do_not_fit_are_counted_and_shown() -> None:
    needed = {"train": np.array([4, 9, 5, 2]), "test": np.array([2, 7])}
    frames = {"train": np.array([3, 4, 5, 1]), "test": np.array([2, 6])}
    places = {"train": np.array([8, 6, 4, -1]), "test": np.array([1, 3])}
    (found,) = too_long(needed, frames, places)
    assert found["name"] == "texts too long"
    assert found["text"].startswith("4 of 6 texts do not fit into the frames of their sounds (train 3, test 1)")
    assert "needs 9 where there are 4" in found["text"]
    assert found["rows"] == [8, 6, 3]


TASK = AutomaticSpeechRecognition([BLANK, " ", "'", ".", "B", "a", "n", "t"])


@pytest.mark.parametrize("text", ["A Bat!", "an't", "nan", "", ["xyz", "a"]])
def test_case_marks_and_other_right_answers_are_no_finding(text: str | list[str]) -> None:
    texts = {"train": ["a Bant."], "test": [text]}
    assert unknown_characters(TASK, texts, {"test": np.array([0])}) == []


def test_characters_that_training_never_had_are_counted_and_shown() -> None:
    texts = {"train": ["a Bant"], "validation": ["quit", "tan"], "test": ["Zen", "q"]}
    places = {"train": np.array([0]), "validation": np.array([5, 6]), "test": np.array([7, -1])}
    (found,) = unknown_characters(TASK, texts, places)
    assert found["name"] == "unknown characters"
    assert found["text"].startswith("3 texts that judge the model (validation 1, test 2) hold characters")
    assert "'q' (in 2)" in found["text"]
    assert found["text"].count("(in 1)") == 4, "of q, u, i, z and e all are told"
    assert found["rows"] == [5, 7]

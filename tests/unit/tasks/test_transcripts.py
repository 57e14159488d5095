"""Transcripts as they are compared, and frames as texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import ABSENT, DataError
from tuneloop.tasks.transcripts import BLANK, normal_transcript, read_transcripts, spelt

CHARACTERS = (BLANK, " ", "a", "b")


def frames(*places: int) -> Any:
    """Logits of these outputs, and two frames of no sound."""
    logits = np.full((len(places) + 2, len(CHARACTERS)), ABSENT, dtype=np.float32)
    logits[: len(places)] = np.eye(len(CHARACTERS), dtype=np.float32)[list(places)] * 20
    return logits


@pytest.mark.parametrize(
    ("places", "text"),
    [
        ((2, 2, 3), "ab"),
        ((2, 0, 2, 3, 3), "aab"),
        ((0, 0), ""),
        ((1, 2, 1, 0, 1, 3, 1), "a b"),
        ((), ""),
    ],
)
def test_frames_to_text(places: tuple[int, ...], text: str) -> None:
    found, sure = spelt(frames(*places), CHARACTERS)
    assert found == text
    assert sure == pytest.approx(1.0 if places else 0.0)


def test_confidence_is_the_geometric_mean_of_the_frames() -> None:
    chances = np.array([[0.7, 0.1, 0.1, 0.1], [0.05, 0.05, 0.4, 0.5]])
    text, sure = spelt(np.log(chances).astype(np.float32), CHARACTERS)
    assert text == "b"
    assert sure == pytest.approx(np.sqrt(0.7 * 0.5), rel=1e-5)


def test_several_beams_hear_what_no_single_path_says() -> None:
    chances = np.array([[0.6, 1e-9, 0.4, 1e-9], [0.6, 1e-9, 0.4, 1e-9]])
    logits = np.concatenate([np.log(chances), np.full((1, 4), ABSENT)]).astype(np.float32)
    assert spelt(logits, CHARACTERS)[0] == ""
    text, sure = spelt(logits, CHARACTERS, beams=4)
    assert text == "a"
    assert sure == pytest.approx(np.sqrt(0.64), rel=1e-5)
    assert spelt(frames(1, 2, 1, 0, 1, 3, 1), CHARACTERS, beams=4) == ("a b", pytest.approx(1.0))
    assert spelt(frames(), CHARACTERS, beams=4) == ("", 0.0)


@given(st.text("ab ", max_size=12))
def test_a_text_with_a_blank_behind_each_character_is_read_as_it_is(text: str) -> None:
    places = [place for letter in text for place in (CHARACTERS.index(letter), 0)]
    assert spelt(frames(*places), CHARACTERS)[0] == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Mr. John-Paul, said: \u201cDon\u2019t!\u201d", "mr john paul said don't"),
        ("  it cost  1,000.50 dollars. ", "it cost 100050 dollars"),
        ("'tis the dogs' day", "tis the dogs day"),
        ("Stra\u00dfe \uff21", "strasse a"),
        ("\u0928\u092e\u0938\u094d\u0924\u0947\u0964", "\u0928\u092e\u0938\u094d\u0924\u0947"),
        ("...", ""),
    ],
)
def test_normal_texts(text: str, normal: str) -> None:
    assert normal_transcript(text) == normal


@given(st.text(max_size=30))
def test_a_normal_text_stays_as_it_is(text: str) -> None:
    once = normal_transcript(text)
    assert normal_transcript(once) == once


@pytest.mark.parametrize(("value", "texts"), [(None, []), (" a  b ", ["a b"]), (["a", " ", "b"], ["a", "b"]), ("", [])])
def test_forms_of_transcripts(value: Any, texts: list[str]) -> None:
    assert read_transcripts(value) == texts


@pytest.mark.parametrize("value", [3, [3], {"text": "a"}])
def test_what_is_no_transcript(value: Any) -> None:
    with pytest.raises(DataError, match="is no transcript"):
        read_transcripts(value)

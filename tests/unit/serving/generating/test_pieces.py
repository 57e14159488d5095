"""Text in pieces: they join to the whole text, and nothing of a stop text gets out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from tuneloop.serving.generating.pieces import Pieces


def by_bytes() -> Tokenizer:
    """One token a byte: a character may need four of them."""
    known = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(BPE(vocab=known, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return made


TOKENIZER = by_bytes()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def streamed(prompt: str, text: str, stops: tuple[str, ...]) -> tuple[list[str], Pieces]:
    pieces = Pieces(TOKENIZER, TOKENIZER.encode(prompt).ids, stops)
    told = []
    for token in TOKENIZER.encode(text).ids:
        pieces.add(token)
        told.append(pieces.take())
        if pieces.stopped:
            break
    pieces.end()
    told.append(pieces.take())
    return told, pieces


@given(TEXTS, TEXTS)
def test_pieces_join_to_the_text(prompt, text):
    told, pieces = streamed(prompt, text, ())
    assert "".join(told) == pieces.text == text
    assert not any("\ufffd" in piece for piece in told) or "\ufffd" in text


@given(TEXTS, st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3))
def test_a_text_ends_before_the_first_stop(prompt, text, stops):
    told, pieces = streamed(prompt, text, tuple(stops))
    ends = {}
    for stop in stops:
        place = text.find(stop)
        if place >= 0:
            # The stop that is complete first ends the text.
            ends.setdefault(place + len(stop), []).append(place)
    expected = text[: min(ends[min(ends)])] if ends else text
    assert "".join(told) == pieces.text == expected
    assert pieces.stopped is bool(ends)


def test_half_a_character_waits():
    told, _ = streamed("", "é!", ())
    assert told == ["", "é", "!", ""]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_what_is_cut_within_a_character_says_so(cut):
    pieces = Pieces(TOKENIZER, (), ())
    for token in TOKENIZER.encode("\N{EARTH GLOBE EUROPE-AFRICA}").ids[:cut]:
        pieces.add(token)
    pieces.end()
    assert pieces.take().startswith("\ufffd")

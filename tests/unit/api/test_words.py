"""Words know where they stand."""

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import Words


def test_a_text_is_split_at_spaces_and_marks():
    words = Words.split("It's @paulwalk in New-York, see https://t.co/x?y=1 !")
    assert words == ["It's", "@paulwalk", "in", "New-York", ",", "see", "https://t.co/x?y=1", "!"]
    assert words.span(2, 3) == (15, 26)
    assert words.text[slice(*words.span(2, 3))] == "in New-York"


@given(st.text(max_size=60))
def test_every_word_stands_where_it_says_and_nothing_but_space_is_lost(text):
    words = Words.split(text)
    for place, word in enumerate(words):
        assert text[slice(*words.span(place, place))] == word
    assert "".join(words).split() == ["".join(text.split())] if text.split() else not words


@given(st.lists(st.text(min_size=1, max_size=8), max_size=6))
def test_words_given_apart_stand_one_space_apart(given_words):
    words = Words.join(given_words)
    assert words == given_words
    assert words.text == " ".join(given_words)
    assert [words.text[slice(*words.span(i, i))] for i in range(len(words))] == given_words


def test_they_are_a_plain_list_to_json():
    words = Words.split("a b")
    assert json.loads(json.dumps(words)) == orjson.loads(orjson.dumps(words)) == ["a", "b"]

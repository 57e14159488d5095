"""A vocabulary that is learned: texts come out as they went in, equal texts give equal vocabularies."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from tuneloop.api import DataError
from tuneloop.preprocessing.vocabulary import PAD, START, STOP, UNKNOWN, learn_vocabulary

TEXTS = ["the cat sat on the mat .", "a dog ran .", "自分 の 事 を しろ 。", "the dog sat"] * 3


def test_texts_come_out_as_they_went_in():
    made = Tokenizer.from_str(learn_vocabulary(TEXTS, 200))
    for text in TEXTS:
        ids = made.encode(text).ids
        assert ids[-1] == 2, "what is read ends with a token that says so"
        assert made.decode(ids) == text
        assert made.decode(made.encode(text, add_special_tokens=False).ids) == text
    assert made.encode("the ż").ids.count(3) == 1, "a character that was never seen is unknown"


def test_its_first_tokens_have_fixed_places_and_its_size_a_limit():
    made = Tokenizer.from_str(learn_vocabulary(TEXTS, 60))
    assert [made.id_to_token(place) for place in range(4)] == [PAD, START, STOP, UNKNOWN]
    assert made.get_vocab_size() <= 60


def test_equal_texts_give_equal_vocabularies():
    assert learn_vocabulary(iter(TEXTS), 100) == learn_vocabulary(TEXTS, 100)


def test_without_texts_there_is_none():
    with pytest.raises(DataError, match="the training rows hold no text"):
        learn_vocabulary(["", ""], 100)

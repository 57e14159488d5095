"""Bits per byte are those of the text, whatever its tokens are."""

from __future__ import annotations

import pytest
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.decoders import Fuse
from tokenizers.models import WordLevel

from tuneloop.pipeline.choosing.bits import bits_per_byte


def tokenizer(*known: str) -> Tokenizer:
    found = Tokenizer(WordLevel({token: place for place, token in enumerate(known)}, unk_token=known[0]))
    found.decoder = Fuse()
    return found


WORDS = tokenizer("<unk>", "four", "byte")
LETTERS = tokenizer("<unk>", *"fourbyt", "e")


def test_a_text_is_as_probable_in_tokens_of_any_size() -> None:
    # Both find "four" and then "byte" as probable as 1 of 16: in one token, or in four of them.
    words = Dataset.from_dict({"input_ids": [[0, 1, 2]], "scored": [[0, 1, 1]]})
    letters = Dataset.from_dict({"input_ids": [[0, 1, 2, 3, 4, 5, 6, 7, 8]], "scored": [[0] + [1] * 8]})
    assert bits_per_byte(16.0, words, WORDS) == pytest.approx(1.0)
    assert bits_per_byte(2.0, letters, LETTERS) == pytest.approx(1.0)


def test_answers_alone_count_and_where_there_are_sources_they_stand_apart() -> None:
    asked = Dataset.from_dict({"input_ids": [[0, 1, 2, 1]], "scored": [[0, 0, 0, 1]]})
    assert bits_per_byte(4.0, asked, WORDS) == pytest.approx(0.5)
    # The first token is given, also where it is one of a text to learn.
    whole = Dataset.from_dict({"input_ids": [[2, 1]], "scored": [[1, 1]]})
    assert bits_per_byte(4.0, whole, WORDS) == pytest.approx(0.5)
    apart = Dataset.from_dict({"input_ids": [[1]], "target_ids": [[0, 2]], "scored": [[0, 1]]})
    assert bits_per_byte(4.0, apart, WORDS) == pytest.approx(0.5)
    assert bits_per_byte(4.0, Dataset.from_dict({"input_ids": [[0]], "scored": [[0]]}), WORDS) == 0.0

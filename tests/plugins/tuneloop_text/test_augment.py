"""More training rows from those there are."""

from collections import Counter
from typing import Any, ClassVar

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop.api.testing import TransformContract
from tuneloop_text import TextAugment

TEXT = " ".join(f"word{number}" for number in range(400))


def made_of(text, **options):
    rows = Dataset.from_dict({"text": [text], "label": ["a"]})
    return TextAugment(TextAugment.Options(columns=("text",), **options)).apply(rows)


class TestTextAugment(TransformContract):
    plugin = TextAugment
    options: ClassVar[Any] = {"columns": ["text"], "copies": 2, "noise": 0.1}


def test_copies_differ_and_keep_their_label():
    rows = made_of(TEXT, copies=3)
    assert rows["label"][:] == ["a"] * 4
    assert rows["text"][0] == TEXT
    assert len(set(rows["text"])) == 4
    assert made_of(TEXT, copies=3, seed=1)["text"][1] != rows["text"][1]


def test_each_change_does_what_it_says():
    deleted = made_of(TEXT, delete=0.25, swap=0)["text"][1].split()
    assert deleted == [word for word in TEXT.split() if word in set(deleted)]
    assert 250 < len(deleted) < 350
    swapped = made_of(TEXT, delete=0, swap=0.2)["text"][1].split()
    assert Counter(swapped) == Counter(TEXT.split())
    moved = sum(new != old for new, old in zip(swapped, TEXT.split(), strict=True))
    assert 80 < moved < 240
    typed = made_of(TEXT, delete=0, swap=0, noise=0.1)["text"][1].split()
    assert len(typed) == 400
    wrong = sum(new != old for new, old in zip(typed, TEXT.split(), strict=True))
    assert 100 < wrong < 300
    assert made_of(TEXT, delete=0, swap=0)["text"][1] == TEXT


def test_missing_texts_stay_missing():
    assert made_of(None)["text"][:] == [None, None]
    assert made_of("")["text"][:] == ["", ""]


def test_an_absent_column_is_named():
    with pytest.raises(DataError, match="no column body; there are: text, label"):
        TextAugment(TextAugment.Options(columns=("body",))).apply(made_of("a"))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.integers(0, 5))
def test_a_text_with_words_keeps_one(text, seed):
    found = made_of(text, delete=0.9, noise=0.9, seed=seed)["text"][1]
    assert bool(found.split()) == bool(text.split())

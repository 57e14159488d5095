"""Texts to token ids: groups of one length, the same ids alone and in company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from tuneloop.api import Columns, DataError, RequestError
from tuneloop.preprocessing import TextPreprocessor


def word_tokenizer() -> str:
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "hello": 4, "world": 5}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return str(tokenizer.to_str())


OPTIONS = {
    "tokenizer": word_tokenizer(),
    "max_length": 8,
    "tensors": ["input_ids", "attention_mask", "token_type_ids"],
    "unknown_id": 1,
}
PREPROCESSOR = TextPreprocessor.fit(OPTIONS, Columns({"text": "message"}, None), None)  # type: ignore[arg-type]


def test_rows_of_one_length_are_encoded_together() -> None:
    groups = PREPROCESSOR.encode([{"message": text} for text in ("hello world", "hello", "world world")])
    assert [(group.rows, group.length) for group in groups] == [((1,), 3), ((0, 2), 4)]
    assert groups[1].inputs["input_ids"].tolist() == [[2, 4, 5, 3], [2, 5, 5, 3]]
    assert groups[1].inputs["attention_mask"].tolist() == [[1] * 4] * 2
    assert groups[1].inputs["token_type_ids"].tolist() == [[0] * 4] * 2


def test_long_texts_are_cut() -> None:
    (group,) = PREPROCESSOR.encode([{"message": "hello " * 50}])
    assert group.inputs["input_ids"].shape == (1, 8)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1), max_size=6))
def test_company_does_not_change_a_row(texts: list[str]) -> None:
    texts = [text for text in texts if text.strip()]
    rows = PREPROCESSOR.check([{"message": text} for text in texts])
    seen = {}
    for group in PREPROCESSOR.encode(rows) if rows else []:
        for place, position in enumerate(group.rows):
            seen[position] = group.inputs["input_ids"][place]
    assert sorted(seen) == list(range(len(texts)))
    for position, row in enumerate(rows):
        (alone,) = PREPROCESSOR.encode([row])
        assert np.array_equal(alone.inputs["input_ids"][0], seen[position])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "absent"),
        ({"message": None}, "not blank"),
        ({"message": "  \n"}, "not blank"),
        ({"message": 5}, "must be a text"),
        ({"message": "\ud800"}, "no text"),
        ({"message": "a\x00"}, "no text"),
        ({"message": "a" * 100_001}, "at most"),
        ({"message": "a", "user": "b"}, "not a column"),
    ],
)
def test_a_bad_row_is_refused_with_its_place(row: dict[str, object], reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        PREPROCESSOR.check([{"message": "hello"}, row])
    assert caught.value.row == 1


def test_it_is_restored_from_its_folder(tmp_path: Path) -> None:
    PREPROCESSOR.save(tmp_path)
    restored = TextPreprocessor.load(tmp_path)
    assert restored.settings == PREPROCESSOR.settings
    assert restored.columns == PREPROCESSOR.columns


def test_a_broken_tokenizer_says_so() -> None:
    with pytest.raises(DataError, match="tokenizer"):
        TextPreprocessor.fit({"tokenizer": "{}"}, Columns({"text": "message"}, None), None)  # type: ignore[arg-type]

"""`words`: one mark a word, whatever the tokenizer does with it, and nothing is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from tuneloop.api import Columns, RequestError, Words
from tuneloop.preprocessing import WordsPreprocessor

LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *(f"##{c}" for c in LETTERS)]


def tokenizer() -> str:
    made = Tokenizer(WordPiece({word: place for place, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.normalizer = BertNormalizer(lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return made.to_str()


def make(max_length=16, overlap=4):
    options = {"tokenizer": tokenizer(), "max_length": max_length, "overlap": overlap, "unknown_id": 1}
    return WordsPreprocessor.fit(options, Columns({"tokens": "tokens"}, target="tags"), None)


MADE = make()


def encode(value, preprocessor=MADE):
    rows = preprocessor.check([{"tokens": value}])
    (group,) = preprocessor.encode(rows)
    return {name: array[0] for name, array in group.inputs.items()}


def test_the_first_token_of_each_word_is_marked():
    inputs = encode(["ab", "c", "def"])
    assert inputs["input_ids"].tolist() == [[2, 4, 31, 6, 7, 34, 35, 3]]
    assert inputs["first"].tolist() == [[0, 1, 0, 1, 1, 0, 0, 0]]
    assert inputs["attention_mask"].tolist() == [[1] * 8]


def test_a_word_without_any_token_gets_the_unknown_one():
    inputs = encode(["a", "\u200b", "b"])
    assert inputs["input_ids"].tolist() == [[2, 4, 1, 5, 3]]
    assert inputs["first"].sum() == 3


def test_a_long_text_is_read_in_windows_of_one_length():
    words = list(LETTERS) * 3
    inputs = encode(words)
    assert inputs["input_ids"].shape[1] == 16
    assert inputs["first"].sum() == len(words)
    # In the order of places, the marked tokens are the words.
    marked = inputs["input_ids"][inputs["first"] == 1]
    assert [VOCABULARY[token] for token in marked] == words


WORDS = st.lists(st.text(min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(WORDS)
def test_every_word_has_exactly_one_mark_in_order(words):
    try:
        inputs = encode(words)
    except RequestError:
        return
    assert inputs["first"].sum() == len(words)
    assert inputs["first"].shape == inputs["input_ids"].shape
    assert not inputs["first"][inputs["input_ids"] == 2].any()


def test_a_text_and_its_words_are_encoded_alike():
    first, second = encode("ab c"), encode(["ab", "c"])
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_checked_rows_know_where_words_stand():
    (row,) = MADE.check([{"tokens": "ab, c"}])
    assert isinstance(row["tokens"], Words)
    assert row["tokens"].starts == (0, 2, 4)


@pytest.mark.parametrize(
    "value", [None, "", "  ", 3, [], [""], ["a", None], ["a\x00"], [["a"]], {"a": 1}, "x " * 20_000, ["a"] * 4001]
)
def test_what_holds_no_words_is_refused(value):
    with pytest.raises(RequestError) as refused:
        MADE.check([{"tokens": value}])
    assert refused.value.field == "tokens"

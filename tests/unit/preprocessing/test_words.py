"""`words`: one mark a word, whatever the tokenizer does with it, and nothing is cut."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel, WordPiece
from tokenizers.normalizers import BertNormalizer, Replace
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


def make(max_length=16, overlap=4, **more):
    options = {"tokenizer": tokenizer(), "max_length": max_length, "overlap": overlap, "unknown_id": 1, **more}
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


def test_the_last_token_of_each_word_is_marked_for_a_model_that_sees_nothing_behind_it():
    inputs = encode(["ab", "c", "\u200b", "def"], make(mark="last"))
    assert inputs["input_ids"].tolist() == [[2, 4, 31, 6, 1, 7, 34, 35, 3]]
    assert inputs["last"].tolist() == [[0, 0, 1, 1, 1, 0, 0, 1, 0]]
    assert "first" not in inputs


def test_a_space_before_each_word_is_read_where_the_settings_say_so():
    made = Tokenizer(WordLevel({"[UNK]": 0, "\u0120ab": 1, "ab": 2}, unk_token="[UNK]"))
    made.normalizer = Replace(" ", "\u0120")
    for space, token in ((True, 1), (False, 2)):
        inputs = encode(["ab", " ab"], make(tokenizer=made.to_str(), space=space))
        assert inputs["input_ids"].tolist() == [[token, 1]]


def test_marks_and_spaces_come_back_from_a_folder(tmp_path):
    make(mark="last", space=True).save(tmp_path)
    assert WordsPreprocessor.load(tmp_path).settings == make(mark="last", space=True).settings
    # A folder of an earlier version says nothing of either.
    settings = json.loads((tmp_path / "words.json").read_text())
    (tmp_path / "words.json").write_text(json.dumps({k: v for k, v in settings.items() if k not in ("mark", "space")}))
    assert WordsPreprocessor.load(tmp_path).settings == make().settings


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
@given(WORDS, st.sampled_from([MADE, make(mark="last")]))
def test_every_word_has_exactly_one_mark_in_order(words, preprocessor):
    try:
        inputs = encode(words, preprocessor)
    except RequestError:
        return
    marks = inputs[preprocessor.settings.mark]
    assert marks.sum() == len(words)
    assert marks.shape == inputs["input_ids"].shape
    assert not marks[inputs["input_ids"] == 2].any()


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

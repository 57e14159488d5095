"""What preprocessors of texts share: a tokenizer that is refused with a message, and settings that come back."""

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from tuneloop.api import DataError
from tuneloop.preprocessing.text import TextSettings
from tuneloop.preprocessing.tokenizing import (
    input_tensors,
    load_tokenizer,
    open_tokenizer,
    save_tokenizer,
    specials,
)


def tokenizer(single="[CLS] $A [SEP]") -> Tokenizer:
    made = Tokenizer(WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    if single:
        made.post_processor = TemplateProcessing(single=single, special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    made.enable_truncation(4)
    made.enable_padding(length=9)
    return made


def test_a_tokenizer_neither_pads_nor_cuts():
    opened = open_tokenizer(tokenizer().to_str(), "text", "column 'line'")
    assert opened.encode("a").ids == [1, 3, 2]
    assert opened.encode("a a a a a").ids == [1, 3, 3, 3, 3, 3, 2]


def test_what_is_no_tokenizer_is_refused_with_its_column():
    with pytest.raises(DataError, match="tokenizer of column 'line' cannot be read"):
        open_tokenizer("{}", "text", "column 'line'")


@pytest.mark.parametrize(
    ("single", "expected"),
    [("[CLS] $A [SEP]", ([1], [2])), ("[CLS] $A", ([1], [])), ("$A [SEP]", ([], [2])), ("", ([], []))],
)
def test_special_tokens_around_a_text(single, expected):
    assert specials(open_tokenizer(tokenizer(single).to_str(), "text", "column 'line'").encode("a a")) == expected


def test_token_ids_alone_have_tokens_for_padding_and_unknown_words():
    ids, mask = input_tensors(("input_ids", "attention_mask"), ("batch", "length"), 2, 0)
    assert (ids.name, ids.pad, ids.unknown) == ("input_ids", 2, 0)
    assert (mask.name, mask.pad, mask.unknown) == ("attention_mask", 0, None)


def test_settings_come_back_from_a_folder(tmp_path):
    settings = TextSettings(tokenizer=tokenizer().to_str(), max_length=12, pad_id=2)
    save_tokenizer(settings, "some.json", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["some.json", "tokenizer.json"]
    assert TextSettings(**load_tokenizer("some.json", tmp_path)) == settings

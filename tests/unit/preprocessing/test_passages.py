"""A question and a context in windows: nothing is cut, and each token of the context is read once."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api import Passage, RequestError
from tuneloop.preprocessing.passages import PassagesPreprocessor, PassagesSettings

tokenizers = pytest.importorskip("tokenizers")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{number}" for number in range(50))]


def tokenizer(*, pairs: bool = True) -> str:
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    made = tokenizers.Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    more = {"pair": "[CLS] $A [SEP] $B:1 [SEP]:1"} if pairs else {}
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)], **more
    )
    return str(made.to_str())


def make(**more: Any) -> PassagesPreprocessor:
    known = {"tokenizer": tokenizer(), "max_length": 16, "overlap": 4, "unknown_id": 1}
    return PassagesPreprocessor(
        PassagesSettings(**{**known, "tensors": ("input_ids", "attention_mask", "token_type_ids"), **more})
    )


MADE = make()


@given(st.lists(st.integers(0, 49), min_size=1, max_size=60), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_each_token_of_the_context_is_read_once_in_order(numbers: list[int], asked: int) -> None:
    row = {"question": "w1 " * asked, "context": " ".join(f"w{number}" for number in numbers)}
    (group,) = MADE.encode(MADE.check([row]))
    ids, mark = group.inputs["input_ids"][0], group.inputs["context"][0]
    assert ids[mark == 1].tolist() == [number + 4 for number in numbers]
    assert ids.shape[1] <= 16
    assert (ids[:, 0] == 2).all()
    assert (ids[:, -1] == 3).all()
    assert (ids[:, 1 : 1 + asked] == 5).all(), "every window begins with the question"
    types = group.inputs["token_type_ids"][0]
    assert (types[mark == 1] == 1).all()
    assert (types[:, : asked + 2] == 0).all()


def test_a_context_knows_where_its_tokens_stand() -> None:
    ((row),) = MADE.check([{"question": "w1?", "context": " w2,  w3 \u00e9 "}])
    passage = row["context"]
    assert isinstance(passage, Passage)
    assert [passage[start:end] for start, end in passage.offsets] == ["w2", ",", "w3", "é"]
    assert json.dumps(row) == json.dumps({"question": "w1?", "context": " w2,  w3 \u00e9 "})
    assert passage.tokens_of(1, 3) == (0, 0)
    assert passage.tokens_of(6, 10) == (2, 3)
    assert passage.tokens_of(0, 1) is None
    assert passage.characters_of(0, 2) == (1, 8)


def test_a_tokenizer_without_pairs_is_framed_twice() -> None:
    made = make(tokenizer=tokenizer(pairs=False))
    (group,) = made.encode(made.check([{"question": "w1", "context": "w2"}]))
    assert group.inputs["input_ids"][0].tolist() in ([[2, 5, 3, 6, 3]], [[5, 6]])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": " ", "context": "w1"}, "field 'question': must be a text that is not blank"),
        ({"question": "w1", "context": None}, "field 'context': must be a text that is not blank"),
        ({"question": "w1 " * 6, "context": "w1"}, "field 'question': has 6 tokens; at most 5 are read"),
        ({"question": "w1" * 1001, "context": "w1"}, "at most 2000 are read"),
        ({"question": "w1", "context": "w" * 20_001}, "at most 20000 are read"),
        ({"question": "w1", "context": "a\x00"}, "characters that are no text"),
        ({"question": "w1"}, "field 'context': is absent"),
    ],
)
def test_what_is_refused(row: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        MADE.check([row])


def test_windows_of_a_long_context_have_one_length() -> None:
    groups = MADE.encode(MADE.check([{"question": "w1", "context": "w2 " * count} for count in (3, 12, 40)]))
    assert sorted(group.inputs["context"].shape[1:] for group in groups) == [(1, 7), (1, 16), (5, 16)]
    assert all(int(group.inputs["context"].sum()) in (3, 12, 40) for group in groups)
    assert np.all([group.length == group.inputs["context"].shape[2] for group in groups])

"""Prompts and right answers as tokens: what is scored, what is cut, what is a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.serving.generating.toy import STOP, make_preprocessor, tokenizer

from tuneloop.api import RequestError
from tuneloop.preprocessing import PromptPreprocessor

PAIRS = make_preprocessor(answers="say", separator="\n", max_length=32)
TEXTS = make_preprocessor(max_length=32)


def one(preprocessor, row):
    (group,) = preprocessor.encode(preprocessor.check([row]))
    return group.inputs["input_ids"][0].tolist(), group.inputs["scored"][0].tolist()


def ids(text):
    return tokenizer().encode(text).ids


def test_an_answer_is_scored_and_its_prompt_is_not():
    tokens, scored = one(PAIRS, {"story": "what is it", "say": "a cat"})
    assert tokens == [*ids("what is it\n"), *ids("a cat"), STOP]
    assert scored == [0] * 11 + [1] * 6
    assert PAIRS.prompt("what is it") == tokens[:11]


def test_a_text_is_scored_whole():
    tokens, scored = one(TEXTS, {"story": "a cat"})
    assert (tokens, scored) == ([*ids("a cat"), STOP], [1] * 6)
    assert TEXTS.prompt("a cat") == tokens[:-1]


@given(st.text("abc ", min_size=1, max_size=80).filter(str.strip), st.text("xyz", max_size=80))
def test_rows_fit_and_keep_something_to_score(prompt, answer):
    tokens, scored = one(PAIRS, {"story": prompt, "say": answer})
    assert len(tokens) <= 32
    assert 1 in scored
    whole = [*ids(answer), STOP]
    kept = sum(scored)
    assert tokens[len(tokens) - kept :] == whole[:kept]
    # As much of the prompt stands before it as there is room for, its end above all.
    assert kept == len(whole) or kept >= 16
    assert tokens[: len(tokens) - kept][-5:] == ids(prompt + "\n")[-5:][-(len(tokens) - kept) :]


def test_a_request_has_no_answer():
    rows = [{"story": "what is it", "say": "a cat"}]
    assert PAIRS.requests(rows) == [{"story": "what is it"}]
    assert one(PAIRS, {"story": "what is it"})[1] == [0] * 11
    (begin,) = TEXTS.requests([{"story": "a long and winding story of a cat"}])
    assert begin["story"] == "a long an"
    assert TEXTS.requests([{"story": "a"}]) == [{"story": "a"}]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({}, "story"),
        ({"story": " "}, "story"),
        ({"story": 3}, "story"),
        ({"story": None}, "story"),
        ({"story": "a", "say": 3}, "say"),
        ({"story": "a", "say": None}, "say"),
        ({"story": "a", "x": "b"}, "x"),
        ({"story": "a" * 100_001}, "story"),
        ({"story": "a\x00"}, "story"),
    ],
)
def test_rows_that_do_not_fit_are_refused(row, field):
    with pytest.raises(RequestError) as refused:
        PAIRS.check([row])
    assert refused.value.field == field


def test_it_survives_a_folder(tmp_path):
    PAIRS.save(tmp_path)
    again = PromptPreprocessor.load(tmp_path)
    assert (again.settings, again.columns, again.tensors) == (PAIRS.settings, PAIRS.columns, PAIRS.tensors)

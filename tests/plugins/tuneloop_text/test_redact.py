"""No personal data in texts."""

from typing import Any, ClassVar

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop.api.personal import personal_spans
from tuneloop.api.testing import TransformContract
from tuneloop_text import TextRedact


def redact(text, **options):
    return TextRedact(TextRedact.Options(columns=("text",), **options)).change({"text": text, "n": 1})["text"]


class TestTextRedact(TransformContract):
    plugin = TextRedact
    options: ClassVar[Any] = {"columns": ["text"]}
    rows = ({"text": "to me@mail.example.org, card 4111 1111 1111 1111"}, {"text": "nothing"})
    expected = ({"text": "to [EMAIL], card [CARD]"}, {"text": "nothing"})


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("write to ana.b+x@mail.example.org, please", "write to [EMAIL], please"),
        ("call me: +49 30 901820", "call me: [PHONE]"),
        ("pay to DE89 3704 0044 0532 0130 00 today", "pay to [IBAN] today"),
        ("a@example.org b@example.org", "[EMAIL] [EMAIL]"),
        ("order 4111 1111 1111 1112", "order 4111 1111 1111 1112"),
        ("", ""),
        (None, None),
        (3, 3),
    ],
)
def test_examples(raw, plain):
    assert redact(raw) == plain


def test_kinds_and_mark():
    text = "me@example.org +49 30 901820"
    assert redact(text, kinds=("phone",)) == "me@example.org [PHONE]"
    assert redact(text, mark="***") == "*** ***"
    with pytest.raises(pydantic.ValidationError, match="not personal data itself"):
        TextRedact.Options(columns=("text",), mark="x@example.org")


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("call 020 7946 0958 now", "call [PHONE] now"),
        ("call 08718730666(10p/min)", "call [PHONE](10p/min)"),
        ("call +44 20 7946 0958", "call [PHONE]"),
        ("room 1234 at 10.30 on 01/02/2024, 150 people", "room 1234 at 10.30 on 01/02/2024, 150 people"),
    ],
)
def test_phone_numbers_as_they_are_dialled_within_a_country(raw, plain):
    assert redact(raw, country="GB") == plain
    assert "[PHONE]" not in redact(raw) or "+44" in raw


def test_a_country_is_one():
    with pytest.raises(pydantic.ValidationError, match="two letters of ISO 3166, such as GB"):
        TextRedact.Options(columns=("text",), country="Germany")
    with pytest.raises(pydantic.ValidationError, match="not personal data itself"):
        TextRedact.Options(columns=("text",), country="GB", mark="020 7946 0958")


def test_a_column_of_numbers_is_refused():
    from datasets import Dataset

    rows = Dataset.from_dict({"text": [1]})
    with pytest.raises(DataError, match="column 'text' holds int64, which is no text"):
        TextRedact(TextRedact.Options(columns=("text",))).apply(rows)


PIECES = st.sampled_from(
    ["a", " ", "@", ".", "me@example.org", "+49 30 901820", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "1"]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=60))
def test_nothing_personal_is_left(text):
    assert list(personal_spans(redact(text))) == []

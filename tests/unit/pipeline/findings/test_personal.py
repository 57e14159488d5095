from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.pipeline.findings.personal import kinds_in, personal_data


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to ana.b+x@mail.example.org please", ["e-mail addresses"]),
        ("call me: +49 30 901820", ["phone numbers"]),
        ("my card is 4111 1111 1111 1111", ["card numbers"]),
        ("pay to DE89 3704 0044 0532 0130 00 today", ["bank accounts (IBAN)"]),
        ("a@b", []),
        ("+1 000 000 0000 is no number", []),
        ("order 4111 1111 1111 1112 has a wrong check digit", []),
        ("DE00 3704 0044 0532 0130 00 has one too", []),
        ("0000 0000 0000 0000", []),
        ("at 2024-02-29 12:00, 17 of 20", []),
    ],
)
def test_what_is_personal_and_what_is_not(text: str, kinds: list[str]) -> None:
    assert list(kinds_in(text)) == kinds


def test_a_finding_quotes_nothing() -> None:
    rows = [{"text": "nothing", "n": 1}, {"text": "I am me@mail.example.org", "n": 2}, {"text": None, "n": 3}]
    [found] = personal_data(rows, ["text", "n"])
    assert found == {
        "name": "personal data",
        "text": "column 'text' seems to hold e-mail addresses in 1 rows",
        "rows": [1],
    }


def test_phone_numbers_are_found_as_they_are_dialled_within_a_country() -> None:
    rows = [{"text": "call 030 901820"}, {"text": "call +49 30 901820"}]
    [found] = personal_data(rows, ["text"])
    assert found["rows"] == [1]
    [found] = personal_data(rows, ["text"], "DE")
    assert found["rows"] == [0, 1]


@given(st.text())
def test_any_text_can_be_looked_into(text: str) -> None:
    assert set(kinds_in(text)) <= {"e-mail addresses", "phone numbers", "card numbers", "bank accounts (IBAN)"}

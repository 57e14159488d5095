from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import RequestError
from tuneloop.serving.wishes import LONGEST_SUBJECT, NO_WISHES, Wishes, shown, wishes_of


@pytest.mark.parametrize(
    ("headers", "wishes"),
    [
        ([], NO_WISHES),
        ([(b"content-type", b"application/json"), (b"x-tuneloop-key", b"k")], NO_WISHES),
        ([(b"x-tuneloop-durable", b"false")], NO_WISHES),
        ([(b"x-tuneloop-durable", b" True ")], Wishes(durable=True)),
        ([(b"x-tuneloop-subject", b"anna-7"), (b"x-tuneloop-durable", b"true")], Wishes(True, "anna-7")),
    ],
)
def test_wishes_are_read_from_headers(headers: list[tuple[bytes, bytes]], wishes: Wishes) -> None:
    assert wishes_of(headers) == wishes


@given(st.binary(max_size=300))
def test_a_subject_is_taken_whole_or_refused(value: bytes) -> None:
    found = ""
    with suppress(RequestError):
        found = wishes_of([(b"x-tuneloop-subject", value)]).subject or ""
    visible = all(32 < byte < 127 for byte in value)
    assert found.encode() == (value if visible and len(value) <= LONGEST_SUBJECT else b"")


def test_a_wish_that_is_neither_is_refused() -> None:
    with pytest.raises(RequestError, match="true or false"):
        wishes_of([(b"x-tuneloop-durable", b"1")])


def test_the_answer_says_it_only_to_who_asked() -> None:
    assert (shown(None), shown(stored=True), shown(stored=False)) == ({}, {"stored": True}, {"stored": False})

"""Phone numbers are found beside other digits, and dates are none."""

import pytest

pytest.importorskip("phonenumbers")

from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api.phones import phone_spans


def found(text, country=None):
    return [text[start:end] for start, end in phone_spans(text, country)]


@pytest.mark.parametrize(
    ("country", "text", "numbers"),
    [
        (None, "call +44 7400 123456 3 times", ["+44 7400 123456"]),
        (None, "+44 7400 123456 +44 7400 123457", ["+44 7400 123456", "+44 7400 123457"]),
        (None, "+1 (415) 555-2671, or 415 555 2671", ["+1 (415) 555-2671"]),
        ("GB", "at 10 07400 123456", ["07400 123456"]),
        ("GB", "2026-03-01 07400 123456", ["07400 123456"]),
        ("GB", "order 5512 07400 123456 07400 123457", ["07400 123456", "07400 123457"]),
        ("GB", "020 7946 0958, abroad +44 7400 123456 3 times", ["020 7946 0958", "+44 7400 123456"]),
        ("DE", "2026-03-01 0171 1234567", ["0171 1234567"]),
        ("FR", "06 12 34 56 78 06-12-34-56-79", ["06 12 34 56 78", "06-12-34-56-79"]),
        ("FR", "06.12.1978: 06.12.34.56.78", ["06.12.34.56.78"]),
        ("US", "on 2026-03-01 at 10 415 555 2671", ["415 555 2671"]),
        ("DK", "2026-03-01", []),
        ("GB", "4111 1111 1111 1111", []),
    ],
)
def test_numbers_beside_other_digits(country, text, numbers):
    assert sorted(found(text, country)) == sorted(numbers)


@given(before=st.text("0123456789 -/.+(", max_size=20), after=st.text("0123456789 -/.+(", max_size=20))
def test_what_stands_around_a_number_hides_it_not(before, after):
    spans = list(phone_spans(f"{before} ; +44 7400 123456 ; {after}"))
    assert any(start <= len(before) + 3 and end >= len(before) + 18 for start, end in spans)
    assert all(one[1] <= other[0] for one, other in zip(sorted(spans), sorted(spans)[1:], strict=False))


def test_a_number_behind_many_others_is_found():
    assert found("12 " * 30_000 + "07400 123456", "GB") == ["07400 123456"]

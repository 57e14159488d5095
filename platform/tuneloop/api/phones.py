"""Phone numbers in texts, by the numbering plans that `phonenumbers` knows."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from operator import itemgetter

_DIGITS = re.compile(r"\d+")
_BETWEEN = re.compile(r"[\s().\-/]{1,4}")
_BEFORE = re.compile(r"[(+]{1,2}$")
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?<!\d)(?<!\d[-./])(?:\d{{4}}([-./]){_MONTH}\1{_DAY}|{_DAY}([-./]){_MONTH}\2(?:\d{{4}}|\d{{2}}))(?![-./]?\d)"
)
_LONGEST, _SHORTEST = 15, 7
"""Digits of a number with the code of its country, at most (E.164) and at least."""


def phone_spans(text: str, country: str | None = None) -> Iterator[tuple[int, int]]:
    """Where phone numbers stand in a text, `[start, end)`, also right beside other digits.

    Args:
        text: Any text.
        country: Two letters of ISO 3166: numbers as they are dialled within it count too; None: only those that begin
            with + and the code of a country.
    """
    dates = [found.span() for found in _DATE.finditer(text)]
    dialled = [] if country is None else [span for span in _matched(text, country) if not _touches(span, dates)]
    yield from dialled
    taken = iter([*sorted([*dialled, *dates]), (len(text) + 1, len(text) + 1)])
    busy = next(taken)
    groups = list(_groups(text))
    place = 0
    while place < len(groups):
        start = groups[place][0]
        while busy[1] <= start:
            busy = next(taken)
        last = None if start >= busy[0] else _last_group(text, groups, place, country, busy[0])
        if last is None:
            place += 1
            continue
        yield start, groups[last][1]
        place = last + 1


def _matched(text: str, country: str) -> Iterator[tuple[int, int]]:
    """What the library's own search finds: it takes digits that stand together as one number, or as none."""
    import phonenumbers

    for found in phonenumbers.PhoneNumberMatcher(text, country, max_tries=sys.maxsize):
        yield found.start, found.end


def _touches(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    """Whether a span shares a character with one of others, which are in order and apart."""
    place = bisect_right(others, span[0], key=itemgetter(1))
    return place < len(others) and others[place][0] < span[1]


def _groups(text: str) -> Iterator[tuple[int, int, int]]:
    """Groups of digits, with the + or bracket before them: start, end, and how many digits."""
    for found in _DIGITS.finditer(text):
        before = _BEFORE.search(text, max(0, found.start() - 2), found.start())
        yield (before.start() if before else found.start()), found.end(), len(found[0])


def _last_group(
    text: str, groups: Sequence[tuple[int, int, int]], first: int, country: str | None, end: int
) -> int | None:
    """The last group of the longest number that begins with the first one, and ends before `end`; None: none does."""
    start = groups[first][0]
    international = "+" in text[start : groups[first][1]]
    trunk, lengths = ("", frozenset(range(_SHORTEST, _LONGEST + 1))) if international else _dialled(country)
    if not text.startswith(trunk, groups[first][1] - groups[first][2]):
        return None
    ends, digits = [], 0
    for place in range(first, len(groups)):
        if place > first and not _BETWEEN.fullmatch(text, groups[place - 1][1], _outer(text, groups[place])):
            break
        digits += groups[place][2]
        if digits > _LONGEST or groups[place][1] > end:
            break
        if digits in lengths:
            ends.append(place)
    valid = (place for place in reversed(ends) if _is_valid(text[start : groups[place][1]], country))
    return next(valid, None)


def _outer(text: str, group: tuple[int, int, int]) -> int:
    """Where the digits of a group begin; a + before them would begin another number."""
    start = group[0]
    return start if "+" in text[start : group[1]] else group[1] - group[2]


def _is_valid(text: str, country: str | None) -> bool:
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(text, country)))
    except phonenumbers.NumberParseException:
        return False


@cache
def _dialled(country: str | None) -> tuple[str, frozenset[int]]:
    """What a number dialled within a country begins with, and how many digits it has; none without a country."""
    import phonenumbers

    known = None if country is None else phonenumbers.PhoneMetadata.metadata_for_region(country)
    if known is None or known.general_desc is None:
        return "", frozenset()
    # Other prefixes, such as the 1 of North America, are mostly left out.
    trunk = "0" if known.national_prefix == "0" else ""
    return trunk, frozenset(length + len(trunk) for length in known.general_desc.possible_length)

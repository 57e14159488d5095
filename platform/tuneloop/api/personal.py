"""Personal data in texts: e-mail addresses, phone numbers, cards, bank accounts.

What looks like a number of some kind counts only if its check digits are right, or the numbering plans know it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import pydantic

from tuneloop.api.errors import MissingExtraError
from tuneloop.api.phones import phone_spans

PersonalKind = Literal["email", "phone", "card", "iban"]

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?!\w)")
_INTERNATIONAL = re.compile(r"\+\(?\d")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")

_NUMBERS: dict[PersonalKind, re.Pattern[str]] = {"card": _CARD, "iban": _IBAN}


@dataclass(frozen=True, slots=True)
class PersonalSpan:
    """Where it stands in the text, `[start, end)`, and what it is."""

    start: int
    end: int
    kind: PersonalKind


def personal_spans(text: str, country: str | None = None) -> Iterator[PersonalSpan]:
    """Personal data in a text, by kind and place; spans of different kinds may overlap.

    Args:
        text: Any text.
        country: Two letters of ISO 3166: phone numbers as they are dialled within it are found too; None: only those
            that begin with + and the code of a country.

    Raises:
        MissingExtraError: `phonenumbers` or `python-stdnum` is not installed, and there is something to check.
    """
    if "@" in text:
        yield from (PersonalSpan(*found.span(), "email") for found in _EMAIL.finditer(text))
    for kind, pattern in _NUMBERS.items():
        for found in pattern.finditer(text):
            if _checks()[kind](found[0]):
                yield PersonalSpan(*found.span(), kind)
    if country is not None or _INTERNATIONAL.search(text):
        _checks()
        yield from (PersonalSpan(*span, "phone") for span in phone_spans(text, country))


def _known_country(value: str) -> str:
    """The value itself; for options that name a country.

    Raises:
        ValueError: It is no country whose numbering plan is known.
        MissingExtraError: `phonenumbers` is not installed.
    """
    _checks()
    from phonenumbers import SUPPORTED_REGIONS

    if value not in SUPPORTED_REGIONS:
        raise ValueError(f"two letters of ISO 3166, such as GB; {len(SUPPORTED_REGIONS)} countries are known")
    return value


PhoneCountry = Annotated[str, pydantic.AfterValidator(_known_country)]
"""The type of an option that names a country whose phone numbers are found."""


@cache
def _checks() -> dict[PersonalKind, Callable[[str], bool]]:
    try:
        import phonenumbers  # noqa: F401
        from stdnum import iban, luhn
    except ImportError as error:
        raise MissingExtraError("the search for personal data", error.name or "phonenumbers", "personal") from error

    def card(text: str) -> bool:
        digits = re.sub(r"\D", "", text)
        # The first digits of the networks; others are order numbers and the like that pass the check by chance.
        return digits[0] in "3456" and len(set(digits)) > 1 and bool(luhn.is_valid(digits))

    return {"card": card, "iban": lambda text: bool(iban.is_valid(text))}

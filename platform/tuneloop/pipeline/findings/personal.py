"""Personal data in texts: e-mail addresses, phone numbers, cards, bank accounts. No finding quotes one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuneloop.api import MissingExtraError, Row
from tuneloop.pipeline.findings.finding import finding

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?!\w)")
_PHONE = re.compile(r"\+\d[\d\s().-]{5,20}\d")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")


def personal_data(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """One finding a column and kind.

    Args:
        rows: All rows.
        names: Columns to look into; only their texts are.

    Raises:
        MissingExtraError: `phonenumbers` or `python-stdnum` is not installed.
    """
    found = []
    for name in names:
        at: dict[str, list[int]] = {}
        for i, row in enumerate(rows):
            value = row[name]
            for kind in set(kinds_in(value)) if isinstance(value, str) else ():
                at.setdefault(kind, []).append(i)
        for kind, where in sorted(at.items()):
            text = f"column {name!r} seems to hold {kind} in {len(where)} rows"
            found.append(finding("personal data", text, where))
    return found


def kinds_in(text: str) -> Iterator[str]:
    """The kinds of personal data in a text, as words of a sentence."""
    if "@" in text and _EMAIL.search(text):
        yield "e-mail addresses"
    checks = _checks() if any(pattern.search(text) for pattern in (_PHONE, _CARD, _IBAN)) else {}
    for kind, (pattern, valid) in checks.items():
        if any(valid(found[0]) for found in pattern.finditer(text)):
            yield kind


def _checks() -> Mapping[str, tuple[re.Pattern[str], Any]]:
    """What looks like each kind, and whether it is one: by its check digits, or by the numbering plans."""
    try:
        import phonenumbers
        from stdnum import iban, luhn
    except ImportError as error:
        raise MissingExtraError("the check for personal data", error.name or "phonenumbers", "train") from error

    def phone(text: str) -> bool:
        try:
            return bool(phonenumbers.is_valid_number(phonenumbers.parse(text)))
        except phonenumbers.NumberParseException:
            return False

    def card(text: str) -> bool:
        digits = re.sub(r"\D", "", text)
        # The first digits of the networks; others are order numbers and the like that pass the check by chance.
        return digits[0] in "3456" and len(set(digits)) > 1 and bool(luhn.is_valid(digits))

    return {
        "phone numbers": (_PHONE, phone),
        "card numbers": (_CARD, card),
        "bank accounts (IBAN)": (_IBAN, lambda text: bool(iban.is_valid(text))),
    }

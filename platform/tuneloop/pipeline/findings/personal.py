"""Personal data in texts: e-mail addresses, phone numbers, cards, bank accounts. No finding quotes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuneloop.api import Row
from tuneloop.api.personal import PersonalKind, personal_spans
from tuneloop.pipeline.data.rows import column
from tuneloop.pipeline.findings.finding import finding

_WORDS: Mapping[PersonalKind, str] = {
    "email": "e-mail addresses",
    "phone": "phone numbers",
    "card": "card numbers",
    "iban": "bank accounts (IBAN)",
}


def personal_data(rows: Sequence[Row], names: Sequence[str], country: str | None = None) -> list[dict[str, Any]]:
    """One finding a column and kind.

    Args:
        rows: All rows.
        names: Columns to look into; only their texts are.
        country: Two letters of ISO 3166 of the country within which phone numbers may be dialled; None: only those
            that begin with + and a code are found.

    Raises:
        MissingExtraError: `phonenumbers` or `python-stdnum` is not installed.
    """
    found = []
    for name in names:
        at: dict[str, list[int]] = {}
        for i, value in enumerate(column(rows, name)):
            for kind in kinds_in(value, country) if isinstance(value, str) else ():
                at.setdefault(kind, []).append(i)
        for kind, where in sorted(at.items()):
            text = f"column {name!r} seems to hold {kind} in {len(where)} rows"
            found.append(finding("personal data", text, where))
    return found


def kinds_in(text: str, country: str | None = None) -> list[str]:
    """The kinds of personal data in a text, as words of a sentence; `country` as in `personal_data`."""
    return [_WORDS[kind] for kind in dict.fromkeys(span.kind for span in personal_spans(text, country))]

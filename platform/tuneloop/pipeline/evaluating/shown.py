"""What a person may see of a row: enough to know it, and no personal data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneloop.api import MissingExtraError, Row
from tuneloop.api.personal import personal_spans
from tuneloop.monitoring.store_policy import StorePolicy
from tuneloop.pipeline.data.rows import plain

_LONGEST = 160


class Display:
    """Rows as short texts. Columns that the prediction store hashes or leaves out are not shown either."""

    def __init__(self, columns: Sequence[str], policy: StorePolicy) -> None:
        """Choose the columns.

        Args:
            columns: Those of a request.
            policy: What of a row the project stores.
        """
        hidden = {*policy.drop_columns, *policy.hash_columns}
        self.columns = tuple(name for name in columns if name not in hidden) if policy.inputs == "keep" else ()

    def row(self, row: Row) -> dict[str, str]:
        """The columns that may be seen, each as a short text."""
        return {name: shown(row.get(name)) for name in self.columns}


def shown(value: Any) -> str:
    """A value as a short text, with `[email]` and the like where personal data stood."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        value = " ".join(value)
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if not isinstance(value, str):
        return f"({type(value).__name__})"
    text = without_personal_data(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def without_personal_data(text: str) -> str:
    """The text with each e-mail address, phone, card and account number replaced by the name of its kind."""
    try:
        spans = sorted(personal_spans(text), key=lambda span: (span.start, -span.end))
    except MissingExtraError:
        # It looks like some, and nothing here can tell: rather too little is shown.
        return "(not shown: it may hold personal data)"
    parts, done = [], 0
    for span in spans:
        if span.start >= done:
            parts += [text[done : span.start], f"[{span.kind}]"]
        done = max(done, span.end)
    return "".join([*parts, text[done:]])

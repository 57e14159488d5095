"""One finding of the data check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from tuneloop.config import FindingName

SHOWN = 5
"""Rows to look at that a finding names, at most."""

NAMES: tuple[FindingName, ...] = get_args(FindingName)


def finding(name: FindingName, text: str, rows: Sequence[int]) -> dict[str, Any]:
    """A finding as JSON: its kind, a sentence, and the first rows to look at."""
    return {"name": name, "text": text, "rows": list(rows)[:SHOWN]}

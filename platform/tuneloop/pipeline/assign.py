"""Which split a row belongs to: decided by a hash, so that it never changes as rows come and go."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuneloop.api import Row
from tuneloop.pipeline.rows import normalised

if TYPE_CHECKING:
    from tuneloop.config import Split

SPLITS = ("golden", "test", "validation", "train")
FEEDBACK_TEST = "feedback_test"
_FEEDBACK_TEST_SHARE, _FEEDBACK_VALIDATION_SHARE = 0.2, 0.1


def share(key: str, salt: str) -> float:
    """A number in [0, 1) that depends on the key and the salt alone."""
    digest = hashlib.sha256(f"{salt}\x00{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big") / 2.0**56


def assign(rows: Sequence[Row], names: Sequence[str], split: Split) -> list[str]:
    """The split of each row, by its key column, or by its content where no key is given.

    Golden comes first in the order of shares, so that other shares may change without touching it.

    Args:
        rows: Rows with the input columns and the key column.
        names: The input columns.
        split: Shares, key and seed.
    """
    bounds = (
        ("golden", split.golden),
        ("test", split.golden + split.test),
        ("validation", split.golden + split.test + split.validation),
    )
    salt = f"split:{split.seed}"

    def one(row: Row) -> str:
        key = normalised(row, names) if split.key is None else str(row[split.key])
        drawn = share(key, salt)
        return next((name for name, bound in bounds if drawn < bound), "train")

    return [one(row) for row in rows]


def assign_feedback(content: str) -> str:
    """The split of a labelled production row, by its content: equal rows stay together."""
    drawn = share(content, "feedback")
    if drawn < _FEEDBACK_TEST_SHARE:
        return FEEDBACK_TEST
    return "validation" if drawn < _FEEDBACK_TEST_SHARE + _FEEDBACK_VALIDATION_SHARE else "train"

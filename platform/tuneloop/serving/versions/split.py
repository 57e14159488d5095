"""Which requests a challenger is asked: a share of them, and equal keys always the same version.

A key is hashed together with the challenger's SHA-256 to a number from 0 to 1; below the share it is the challenger's
turn. So every worker, replica and restart decides alike; a larger share keeps those that a smaller one chose; and
another challenger meets other keys.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tuneloop.api import Row

KEY_HEADER = "x-tuneloop-key"
"""The header of a request that holds its key."""
_LARGEST = 1 << 64
_KEY = KEY_HEADER.encode()


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key in the headers of an ASGI scope; None where there is none."""
    return next((value.decode("latin-1") for name, value in headers if name == _KEY), None)


@dataclass(frozen=True, slots=True)
class Split:
    """How requests are shared out.

    Attributes:
        salt: The challenger's SHA-256.
        share: Of the keys, 0 to 1.
        by: Column that holds the key; None: a request without a key of its own is shared out by chance.
    """

    salt: str
    share: float
    by: str | None = None

    def takes(self, rows: Sequence[Row], key: str | None = None) -> bool:
        """Whether it is the challenger's turn.

        Args:
            rows: Of the request. With several keys among them it is the challenger's turn only if it is for each, so
                that a key of the champion's never meets the challenger.
            key: Of the request; it comes before the column.
        """
        if self.share >= 1.0:
            return True
        if key is not None:
            return self.holds(key)
        if self.by is None:
            return random.random() < self.share  # noqa: S311
        return all(self.holds(_text(row, self.by)) for row in rows)

    def holds(self, key: str) -> bool:
        """Whether a key is the challenger's."""
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=self.salt[:64].encode())
        return int.from_bytes(digest.digest(), "big") < self.share * _LARGEST


def _text(row: Any, column: str) -> str:
    """A value as a key: 7 and 7.0 are one. The request is not checked yet, so it may be anything."""
    value = row.get(column) if isinstance(row, dict) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return repr(float(value))
        except OverflowError:
            return str(value)
    return value if isinstance(value, str) else repr(value)[:200]

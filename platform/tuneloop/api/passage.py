"""A text as tokens, each with its place in the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Passage(str):
    """A text that was split into tokens, and knows where each stands: a plain text to JSON and Arrow.

    Attributes:
        ids: The tokens.
        offsets: First character and end (exclusive) of each, `int64 [tokens, 2]`.
    """

    __slots__ = ("ids", "offsets")
    ids: Sequence[int]
    offsets: NDArray[np.int64]

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """The first and the last token that hold characters from `start` to `end` (exclusive); None: there are none."""
        inside = np.flatnonzero((self.offsets[:, 1] > start) & (self.offsets[:, 0] < end))
        return (int(inside[0]), int(inside[-1])) if len(inside) else None

    def characters_of(self, first: int, last: int) -> tuple[int, int]:
        """Where the text from one token to another begins and ends (exclusive), without white space at its edges."""
        start, end = int(self.offsets[first, 0]), int(self.offsets[last, 1])
        text = self[start:end]
        return start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))

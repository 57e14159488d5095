"""A text as words, each with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

_WORD = re.compile(r"https?://\S+|[@#]?\w+(?:[-'\u2019.&]\w+)*|[^\w\s]")
"""Addresses, names and tags of social media, words with inner marks, and any other mark alone."""


class Words(list[str]):
    """The words of one text: a plain list to JSON and Arrow, which knows where each word stands.

    Attributes:
        text: What the words stand in.
        starts: Position of the first character of each word.
    """

    def __init__(self, words: Iterable[str], text: str, starts: Iterable[int]) -> None:
        super().__init__(words)
        self.text, self.starts = text, tuple(starts)

    @classmethod
    def split(cls, text: str) -> Self:
        """The words of a text: split at white space, with punctuation marks as words of their own."""
        found = list(_WORD.finditer(text))
        return cls((match.group() for match in found), text, (match.start() for match in found))

    @classmethod
    def join(cls, words: Iterable[str]) -> Self:
        """Words that were given apart; their text has one space between each two."""
        listed, starts, place = list(words), [], 0
        for word in listed:
            starts.append(place)
            place += len(word) + 1
        return cls(listed, " ".join(listed), starts)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the text from word `first` to word `last` begins, and where it ends (exclusive)."""
        return self.starts[first], self.starts[last] + len(self[last])

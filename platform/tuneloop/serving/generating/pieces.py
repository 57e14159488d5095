"""Tokens to text as they come: a piece is handed on once no later token can change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HALF = "\ufffd"
"""What a tokenizer gives for the first bytes of a character."""
_CONTEXT = 6
"""Tokens of the prompt that are decoded with the first generated ones: where a space belongs depends on them."""


class Pieces:
    """The text of one answer, and how much of it was handed on.

    Args:
        tokenizer: Of the `tokenizers` library.
        before: Tokens that the text goes on from; none: it begins anew.
        stops: Texts that end the answer.
    """

    def __init__(self, tokenizer: Any, before: Sequence[int], stops: Sequence[str] = ()) -> None:
        self._tokenizer, self._stops = tokenizer, tuple(stops)
        self._tokens = list(before[-_CONTEXT:])
        self._begin, self._read = 0, len(self._tokens)
        self._given = 0
        self.text = ""
        self.stopped = False

    def add(self, token: int) -> None:
        """One more token; `stopped` says whether a stop text was met, before which the text ends."""
        self._tokens.append(token)
        new = self._new()
        if new and not new.endswith(_HALF):
            self._take(new)

    def end(self) -> None:
        """No token follows."""
        if not self.stopped:
            self._take(self._new())
        self._stops = ()

    def take(self) -> str:
        """What was not handed on yet, and stands firm: not what may be the beginning of a stop text."""
        firm = len(self.text) if self.stopped else len(self.text) - self._doubtful()
        piece = self.text[self._given : firm]
        self._given = max(self._given, firm)
        return piece

    def _new(self) -> str:
        old = self._decode(self._tokens[self._begin : self._read])
        return self._decode(self._tokens[self._begin :])[len(old) :]

    def _take(self, new: str) -> None:
        self._begin, self._read = self._read, len(self._tokens)
        longest = max(map(len, self._stops), default=1)
        searched = max(0, len(self.text) - longest + 1)
        self.text += new
        found = [place for stop in self._stops if (place := self.text.find(stop, searched)) >= 0]
        if found:
            self.text, self.stopped = self.text[: min(found)], True

    def _doubtful(self) -> int:
        """Characters at the end that may become a stop text."""
        longest = 0
        for stop in self._stops:
            for size in range(min(len(stop) - 1, len(self.text)), longest, -1):
                if self.text.endswith(stop[:size]):
                    longest = size
                    break
        return longest

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

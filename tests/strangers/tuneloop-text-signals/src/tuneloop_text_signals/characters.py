"""Signals `characters` and `non-letters`."""

from __future__ import annotations

from tuneloop_text_signals.text import TextSignal


class Characters(TextSignal):
    """The length of the text in characters."""

    name, kind = "characters", "number"

    def value(self, text: str) -> float:
        """The number of characters."""
        return float(len(text))


class NonLetters(TextSignal):
    """The share of characters that are neither letters nor blanks: digits, punctuation, symbols, broken encoding."""

    name, kind = "non-letters", "number"

    def value(self, text: str) -> float | None:
        """Between 0 and 1; None where the text has no character but blanks."""
        letters = sum(map(str.isalpha, text))
        others = len(text) - letters - sum(map(str.isspace, text))
        return others / (letters + others) if letters + others else None

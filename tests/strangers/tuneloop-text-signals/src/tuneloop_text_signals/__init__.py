"""Signals of a text: its language, its length in characters, and its share of characters that are no letters."""

from __future__ import annotations

from tuneloop.api import Signal, hookimpl
from tuneloop_text_signals.characters import Characters, NonLetters
from tuneloop_text_signals.language import Language

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_signals() -> list[type[Signal]]:
    """The signals of this package."""
    return [Language, Characters, NonLetters]

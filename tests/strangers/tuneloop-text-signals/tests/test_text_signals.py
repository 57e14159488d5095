"""The contract of signals, and what they read."""

from __future__ import annotations

import numpy as np
import pytest
from tuneloop_text_signals import Characters, Language, NonLetters

from tuneloop.api import Column, SignalBatch
from tuneloop.api.testing import SignalContract


class TestLanguage(SignalContract):
    plugin = Language


class TestCharacters(SignalContract):
    plugin = Characters


class TestNonLetters(SignalContract):
    plugin = NonLetters


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my package? It has not arrived.", "en"),
        ("Buongiorno, dov'è il mio pacco?", "it"),
        ("Guten Morgen, wo ist mein Paket?", "de"),
        ("私の荷物はどこですか、まだ届きません", "ja"),
        ("", "und"),
        ("12345 !!!", "und"),
        ("ciao", "und"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert Language("message").value(text) == language


@pytest.mark.parametrize(("text", "share"), [("abc", 0.0), ("ab 1!", 0.5), ("123", 1.0), ("", None), (" \n", None)])
def test_non_letters(text: str, share: float | None) -> None:
    assert NonLetters("message").value(text) == share


def test_a_signal_a_text_column() -> None:
    columns = [Column("subject", "text"), Column("size", "number"), Column("body", "text")]
    signals = Characters.create(columns, [], ["a", "b"], 0)
    assert [signal.label for signal in signals] == ["characters:subject", "characters:body"]
    batch = SignalBatch([{"subject": "four", "body": None}, {"subject": "", "body": "x"}], [], {}, [])
    np.testing.assert_array_equal(signals[0].read(batch), [4, 0])
    np.testing.assert_array_equal(signals[1].read(batch), [np.nan, 1])

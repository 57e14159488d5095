"""Signal `language`."""

from __future__ import annotations

from tuneloop.api import PluginError
from tuneloop_text_signals.text import TextSignal

UNDETERMINED = "und"
"""ISO 639 for a text whose language cannot be told."""
_FEWEST_LETTERS = 8
_MOST_CHARACTERS = 1000


class Language(TextSignal):
    """The language of the text as an ISO 639 code, such as `en`; `und` where too few letters tell."""

    name, kind = "language", "category"

    def __init__(self, column: str) -> None:
        super().__init__(column)
        try:
            import py3langid
        except ImportError as error:
            raise PluginError(
                f"signal {self.name!r} needs the Python package 'py3langid', which is not installed. "
                "Install it with: pip install tuneloop-text-signals"
            ) from error
        self._classify = py3langid.classify
        # The model is read from its file at the first call: that must not be a request's.
        self._classify("warm")

    def value(self, text: str) -> str:
        """The code of the most probable language, from the first 1000 characters."""
        head = text[:_MOST_CHARACTERS]
        if sum(map(str.isalpha, head)) < _FEWEST_LETTERS:
            return UNDETERMINED
        language: str = self._classify(head)[0]
        return language

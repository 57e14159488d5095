"""What the preprocessors of models that write texts have in common: rows may hold the right answer too."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tuneloop.api import Preprocessor, Row

COMPLETION = "completion"
"""The role of the column with the right answers; the configuration gives it, never a project."""


class WritingSettings(Protocol):
    """What the engine asks for, whatever a model reads."""

    @property
    def column(self) -> str:
        """The request column of what is answered."""

    @property
    def answers(self) -> str | None:
        """The column of the right answers; None: there is none beside `column`."""

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens that end a text."""

    @property
    def max_tokens(self) -> int:
        """Tokens generated where a request does not say how many."""

    @property
    def chat_template(self) -> str | None:
        """A Jinja template: messages to a prompt."""

    @property
    def template_words(self) -> Mapping[str, str]:
        """Special tokens that the template names."""


class WritingPreprocessor(Preprocessor):
    """Raw rows to what a model reads that writes texts, and the tokens it writes to texts.

    In training, and wherever a model is judged, rows hold the right answer too. In a request they do not.
    """

    settings: WritingSettings
    tokenizer: Any
    """Of the `tokenizers` library: that of the texts that are written."""

    @abstractmethod
    def requests(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of the data as clients would send them: without the right answer."""

"""The built-in preprocessors, registered like a stranger's."""

from __future__ import annotations

from tuneloop.api import Preprocessor, hookimpl
from tuneloop.preprocessing.tabular import TabularPreprocessor
from tuneloop.preprocessing.text import TextPreprocessor

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_preprocessors() -> list[type[Preprocessor]]:
    """The preprocessors of this folder."""
    return [TextPreprocessor, TabularPreprocessor]

"""`text-classification`: one text in, one label out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tuneloop.tasks.classification import Classification


class TextClassification(Classification):
    """One label for one text."""

    name = "text-classification"
    roles: ClassVar[Mapping[str, str]] = {"text": "The column that holds the text to classify."}

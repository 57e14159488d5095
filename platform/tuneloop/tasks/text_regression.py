"""`text-regression`: one text in, one number out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tuneloop.tasks.regression import Regression


class TextRegression(Regression):
    """One number for one text."""

    name = "text-regression"
    roles: ClassVar[Mapping[str, str]] = {"text": "The column that holds the text to score."}

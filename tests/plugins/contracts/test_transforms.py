"""Transforms among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

from typing import Any, ClassVar

import tuneloop_text
from tuneloop.api.testing import (
    TransformContract,
)


class TestTextClean(TransformContract):
    plugin = tuneloop_text.TextClean
    options: ClassVar[Any] = {"columns": ["text"], "drop_empty": True}
    rows = ({"text": " <b>a</b>  b ", "n": 1}, {"text": " ", "n": 2})
    expected = ({"text": "a b", "n": 1},)

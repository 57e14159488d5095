"""Transforms for text columns."""

from __future__ import annotations

from tuneloop.api import Transform, hookimpl
from tuneloop_text.augment import TextAugment
from tuneloop_text.clean import TextClean
from tuneloop_text.redact import TextRedact

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_transforms() -> list[type[Transform]]:
    """The transforms of this folder."""
    return [TextClean, TextRedact, TextAugment]

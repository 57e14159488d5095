"""Transforms for sounds."""

from __future__ import annotations

from tuneloop.api import Transform, hookimpl
from tuneloop_audio.augment import AudioAugment

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_transforms() -> list[type[Transform]]:
    """The transforms of this folder."""
    return [AudioAugment]

"""Torch models for pictures."""

from __future__ import annotations

from tuneloop.api import BaseModel, hookimpl
from tuneloop_vision.cnn import ImageCnn
from tuneloop_vision.efficientnet import EfficientNetLite0

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_base_models() -> list[type[BaseModel]]:
    """The base models of this folder."""
    return [ImageCnn, EfficientNetLite0]

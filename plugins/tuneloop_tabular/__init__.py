"""Torch models for tables."""

from __future__ import annotations

from tuneloop.api import BaseModel, hookimpl
from tuneloop_tabular.base import TabularMlp

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_base_models() -> list[type[BaseModel]]:
    """The base models of this folder."""
    return [TabularMlp]

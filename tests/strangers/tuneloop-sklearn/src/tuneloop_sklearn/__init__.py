"""scikit-learn estimators as base models, the strategy that fits them, and the exporter that makes ONNX of them."""

from __future__ import annotations

from tuneloop.api import BaseModel, Exporter, Strategy, hookimpl
from tuneloop_sklearn.base import Sklearn
from tuneloop_sklearn.exporter import SklearnOnnx
from tuneloop_sklearn.strategy import SklearnFit

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_base_models() -> list[type[BaseModel]]:
    """The base models of this package."""
    return [Sklearn]


@hookimpl
def tuneloop_strategies() -> list[type[Strategy]]:
    """The strategies of this package."""
    return [SklearnFit]


@hookimpl
def tuneloop_exporters() -> list[type[Exporter]]:
    """The exporters of this package."""
    return [SklearnOnnx]

"""The ONNX exporter and its quantisation."""

from __future__ import annotations

from tuneloop.api import Exporter, hookimpl
from tuneloop_onnx.exporter import Onnx

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_exporters() -> list[type[Exporter]]:
    """The exporters of this folder."""
    return [Onnx]

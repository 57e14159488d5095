"""Exporters among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

from tuneloop.api.testing import (
    ExporterContract,
)
from tuneloop_onnx import Onnx


class TestOnnx(ExporterContract):
    plugin = Onnx

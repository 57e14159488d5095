"""Exporter `onnx`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import Exporter, ExportSpec, MissingExtraError, PluginError

INT8_DYNAMIC = "int8-dynamic"
ENCODER = "encoder.onnx"
"""Where the graph that reads sources lies, beside the one that writes."""


class OnnxOptions(pydantic.BaseModel):
    """Options of exporter `onnx`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    opset: int = pydantic.Field(20, ge=18, le=24, description="The ONNX operator set the graph is written in.")
    quantize_embeddings: bool = pydantic.Field(
        True, description="Whether `int8-dynamic` stores embedding tables in 8 bits too: much smaller files."
    )


class Onnx(Exporter):
    """One ONNX file with symbolic batch and length, whose bytes depend on the weights alone."""

    name = "onnx"
    frameworks = frozenset({"torch"})
    quantizations = (INT8_DYNAMIC,)
    Options = OnnxOptions

    options: OnnxOptions

    def export(self, model: Any, spec: ExportSpec, folder: Path) -> Path:
        """Write `model.onnx`; of a model that reads a source and writes a text also `encoder.onnx`.

        Raises:
            RunError: The model cannot be exported, or an axis came out fixed.
        """
        _require("torch", "onnx", "onnxscript")
        from tuneloop_onnx.trace import trace
        from tuneloop_onnx.write import write_graph

        target = folder / "model.onnx"
        if hasattr(model, "encoder") and hasattr(model, "decoder"):
            from tuneloop_onnx import encoder_decoder

            for name, graph in {
                ENCODER: encoder_decoder.trace_encoder(model, spec, self.options.opset),
                target.name: encoder_decoder.trace_decoder(model, self.options.opset),
            }.items():
                write_graph(graph, folder / name)
            return target
        if hasattr(model, "decoder"):
            from tuneloop_onnx.decoder import trace_decoder

            # Its own graph has a cache; that of `spec`, which scores texts, follows from it.
            write_graph(trace_decoder(model, self.options.opset), target)
            return target
        write_graph(trace(model, spec, self.options.opset), target)
        return target

    def quantize(self, source: Path, mode: str, target: Path) -> None:
        """Write the graph with 8-bit weights, and the encoder beside it; activations are scaled at run time.

        Raises:
            PluginError: `mode` is not known.
        """
        if mode != INT8_DYNAMIC:
            raise PluginError(
                f"exporter {self.name!r} has no quantisation {mode!r}; it knows: {', '.join(self.quantizations)}"
            )
        _require("onnx", "onnxruntime")
        from tuneloop_onnx.int8 import quantize_dynamic

        quantize_dynamic(source, target, embeddings=self.options.quantize_embeddings)
        if (encoder := source.with_name(ENCODER)).is_file():
            quantize_dynamic(encoder, target.with_name(ENCODER), embeddings=self.options.quantize_embeddings)


def _require(*modules: str) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            extra = "cpu" if module == "onnxruntime" else "train"
            raise MissingExtraError("exporter 'onnx'", module, extra) from error

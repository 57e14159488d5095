"""The second route to a graph: with the patches and translations that transformers keeps for what torch cannot do.

transformers replaces code that depends on values by code that does not while it traces, and knows operators that torch
has no ONNX form for, such as the products of a mixture of experts. Imports torch: import it inside functions.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any

import torch

from tuneloop.api import ExportSpec
from tuneloop_onnx.edges import OUTER


class Named(torch.nn.Module):
    """A model of tuples as one with names of its own: those of `spec` may be no Python names."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """The outputs, in order."""
        return {f"output_{place}": tensor for place, tensor in enumerate(self.model(*inputs.values()))}


def trace_patched(wrapped: torch.nn.Module, example: tuple[torch.Tensor, ...], spec: ExportSpec, opset: int) -> Any:
    """The graph as an `onnx.ModelProto`, whose inputs and outputs are named as `trace_plain` names them.

    Args:
        wrapped: Takes and gives tuples, in the order of `spec`.
        example: The inputs. Axes of size 1 would be frozen without a word.
        spec: What the graph must look like.
        opset: The operator set.
    """
    import onnx_ir
    from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter

    inputs = {f"input_{place}": tensor for place, tensor in enumerate(example)}
    # Which axes follow from others, as a cache that grows does, is for torch to find; what it froze is seen after.
    shapes = {
        name: {axis: torch.export.Dim.AUTO for axis, size in enumerate(tensor.shape) if isinstance(size, str)}
        for name, tensor in zip(inputs, spec.inputs, strict=True)
    }
    with _quiet():
        config = OnnxConfig(dynamic=True, dynamic_shapes=shapes, opset_version=opset)
        model = OnnxExporter().export(Named(wrapped).eval(), inputs, config).program
    for kind, values, wanted in (
        ("input", model.graph.inputs, spec.inputs),
        ("output", model.graph.outputs, spec.outputs),
    ):
        names = {f"{kind}_{place}": OUTER + tensor.name for place, tensor in enumerate(wanted)}
        for value in values:
            value.name = names.get(value.name, value.name)
    return onnx_ir.to_proto(model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's progress lines, and the remark that it is newer than the one transformers was tried with."""
    loggers = [logging.getLogger(name) for name in ("transformers.exporters", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

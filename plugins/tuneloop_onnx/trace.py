"""A torch model to an ONNX graph in memory: by torch's exporter, and where that fails with the patches of transformers.

Imports torch: import it inside functions.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from tuneloop.api import ExportSpec, RunError, Tensor
from tuneloop_onnx.edges import OUTER, name_edges
from tuneloop_onnx.patched import trace_patched


class Outputs(torch.nn.Module):
    """A model whose inputs and outputs are tuples, in the order the graph has them."""

    def __init__(self, model: torch.nn.Module, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self._inputs, self._outputs = inputs, outputs

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The named outputs of the model."""
        outputs = self.model(**dict(zip(self._inputs, tensors, strict=True)))
        return tuple(outputs[name] for name in self._outputs)


def trace(model: torch.nn.Module, spec: ExportSpec, opset: int) -> Any:
    """The graph as an `onnx.ModelProto`, with the inputs, outputs and axes of `spec`.

    Raises:
        RunError: The example does not fit, or the model cannot be exported by either route, or an axis came out fixed.
    """
    example = tuple(torch.from_numpy(_example(spec, tensor)) for tensor in spec.inputs)
    training = model.training
    names = (tuple(tensor.name for tensor in tensors) for tensors in (spec.inputs, spec.outputs))
    wrapped = Outputs(model.to("cpu"), *names).eval()
    errors: list[Exception] = []
    try:
        with _eager_attention(model), _quiet(), torch.no_grad():
            for route in (trace_plain, trace_patched):
                try:
                    graph = route(wrapped, example, spec, opset)
                    name_edges(graph.graph, spec)
                    return graph
                except Exception as error:
                    # Whatever a model's own code raises while it is traced tells why it cannot be.
                    errors.append(error)
    finally:
        model.train(training)
    plain, patched = map(_reason, errors)
    raise RunError(
        f"{type(model).__name__} cannot be exported to ONNX: {plain}; nor with the patches of transformers: {patched}"
    ) from errors[0]


def trace_plain(wrapped: Outputs, example: tuple[torch.Tensor, ...], spec: ExportSpec, opset: int) -> Any:
    """The graph as torch exports it, an `onnx.ModelProto`; `OUTER` is before the names of inputs and outputs."""
    program = torch.onnx.export(
        wrapped,
        example,
        dynamo=True,
        input_names=[OUTER + tensor.name for tensor in spec.inputs],
        output_names=[OUTER + tensor.name for tensor in spec.outputs],
        dynamic_shapes={"tensors": _dynamic_shapes(spec)},
        opset_version=opset,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise RunError("torch gave no graph")
    return program.model_proto


def _reason(error: BaseException) -> str:
    """The first line of what went wrong first: torch wraps it in advice about its own exporter."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    if isinstance(error, RunError):
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _example(spec: ExportSpec, tensor: Tensor) -> Any:
    array = spec.example.get(tensor.name)
    if array is None:
        raise RunError(
            f"the export example lacks the input {tensor.name!r}; it has: {', '.join(spec.example) or 'none'}"
        )
    for axis, size in enumerate(tensor.shape):
        if isinstance(size, str) and array.shape[axis] < 2:
            raise RunError(
                f"the export example of {tensor.name!r} has size {array.shape[axis]} on axis {size!r}; "
                "a symbolic axis needs at least 2, or it is taken as fixed"
            )
    return np.ascontiguousarray(array.astype(tensor.dtype))


def _dynamic_shapes(spec: ExportSpec) -> tuple[dict[int, Any], ...]:
    axes: dict[str, Any] = {}
    return tuple(
        {
            axis: axes.setdefault(size, torch.export.Dim(size))
            for axis, size in enumerate(tensor.shape)
            if isinstance(size, str)
        }
        for tensor in spec.inputs
    )


@contextlib.contextmanager
def _eager_attention(model: torch.nn.Module) -> Iterator[None]:
    """Plain attention while tracing: fused kernels come out as graphs that quantise worse, or not at all."""
    changed: list[tuple[Any, str]] = []
    for module in model.modules():
        setter = getattr(module, "set_attn_implementation", None)
        kind = getattr(getattr(module, "config", None), "_attn_implementation", None)
        if callable(setter) and isinstance(kind, str) and kind != "eager":
            changed.append((module, kind))
            setter("eager")
    try:
        yield
    finally:
        for module, kind in reversed(changed):
            module.set_attn_implementation(kind)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's own deprecations and progress lines off the screen; they say nothing about the model."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category in (DeprecationWarning, FutureWarning):
                warnings.filterwarnings(
                    "ignore", category=category, module=r"(torch|onnxscript|copyreg|transformers)\b"
                )
            # Inputs share axes on purpose: all have one batch and one length.
            warnings.filterwarnings("ignore", message="# The axis name: .* will not be used", category=UserWarning)
            yield
    finally:
        logger.setLevel(level)

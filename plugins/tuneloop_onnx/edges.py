"""The inputs and outputs of a traced graph: their names and axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.api import ExportSpec, RunError, Tensor

OUTER = "tuneloop::"
"""Put before input and output names while tracing: torch names inner values too, `embedding` for example."""


def name_edges(graph: Any, spec: ExportSpec) -> None:
    """Give the inputs and outputs of an `onnx.GraphProto` their own names, and their axes those of `spec`.

    Raises:
        RunError: An input or output is absent, or an axis is fixed that must be symbolic.
    """
    _name_values(graph)
    for kind, values, wanted in (("input", graph.input, spec.inputs), ("output", graph.output, spec.outputs)):
        found = {value.name: value for value in values}
        if set(found) != {tensor.name for tensor in wanted}:
            raise RunError(
                f"the exported graph has the {kind}s {', '.join(found) or 'none'}; "
                f"expected {', '.join(tensor.name for tensor in wanted)}"
            )
        for tensor in wanted:
            _name_axes(kind, found[tensor.name], tensor)


def _name_values(graph: Any) -> None:
    """Inner values that have the name of an input or an output step aside."""
    outer = {value.name for value in (*graph.input, *graph.output)}
    names = {name: name.removeprefix(OUTER) for name in outer}
    _rename(graph, {**{name: f"inner::{name}" for name in names.values()}, **names})


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for edges in (node.input, node.output):
            for position, name in enumerate(edges):
                edges[position] = names.get(name, name)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, names)


def _name_axes(kind: str, value: Any, tensor: Tensor) -> None:
    axes = value.type.tensor_type.shape.dim
    if len(axes) != len(tensor.shape):
        raise RunError(f"{kind} {tensor.name!r} of the exported graph has {len(axes)} axes, not {len(tensor.shape)}")
    for axis, size in zip(axes, tensor.shape, strict=True):
        if isinstance(size, int):
            if axis.dim_value != size:
                raise RunError(
                    f"{kind} {tensor.name!r} of the exported graph has an axis of {axis.dim_param or axis.dim_value}, "
                    f"not {size}"
                )
            continue
        if not axis.dim_param:
            raise RunError(
                f"axis {size!r} of {kind} {tensor.name!r} came out fixed at {axis.dim_value}: "
                "the model's forward pass depends on the size of its example"
            )
        axis.dim_param = size

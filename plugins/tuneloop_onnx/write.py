"""A traced graph to a file: checked, and without anything that depends on when or where it was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneloop.api import ExportSpec, RunError, Tensor
from tuneloop_onnx.trace import OUTER


def write_graph(model: Any, spec: ExportSpec, target: Path) -> None:
    """Name the axes, clean, check and write.

    Raises:
        RunError: An input or output is absent, or an axis is fixed that must be symbolic, or the graph is invalid.
    """
    import onnx

    _name_edges(model.graph)
    for kind, values, wanted in (
        ("input", model.graph.input, spec.inputs),
        ("output", model.graph.output, spec.outputs),
    ):
        found = {value.name: value for value in values}
        if set(found) != {tensor.name for tensor in wanted}:
            raise RunError(
                f"the exported graph has the {kind}s {', '.join(found) or 'none'}; "
                f"expected {', '.join(tensor.name for tensor in wanted)}"
            )
        for tensor in wanted:
            _name_axes(kind, found[tensor.name], tensor)
    clean(model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise RunError(f"the exported graph is not valid ONNX: {error}") from error
    target.write_bytes(model.SerializeToString(deterministic=True))


def _name_edges(graph: Any) -> None:
    """Give inputs and outputs their own names; inner values that have one of these step aside."""
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


def clean(model: Any) -> None:
    """Drop notes, stack traces and inferred shapes; none of them is read at run time, all of them vary."""
    model.doc_string = ""
    del model.metadata_props[:]
    _clean_graph(model.graph)
    for function in model.functions:
        function.doc_string = ""
        del function.metadata_props[:]
        _clean_nodes(function.node)


def _clean_graph(graph: Any) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for named in (*graph.input, *graph.output, *graph.initializer):
        named.doc_string = ""
        del named.metadata_props[:]
    _clean_nodes(graph.node)


def _clean_nodes(nodes: Any) -> None:
    for node in nodes:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            attribute.doc_string = ""
            if attribute.HasField("g"):
                _clean_graph(attribute.g)

"""A traced graph to a file: checked, and without anything that depends on when or where it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.api import RunError


def write_graph(model: Any, target: Path) -> None:
    """Clean, check and write.

    Raises:
        RunError: The graph is invalid.
    """
    import onnx

    clean(model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise RunError(f"the exported graph is not valid ONNX: {error}") from error
    target.write_bytes(model.SerializeToString(deterministic=True))


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

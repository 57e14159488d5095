"""A fitted estimator as an ONNX graph from encoded rows to logits.

skl2onnx converts the estimator alone. Before it, positions become 0/1 features; after it, probabilities become
logits; both exactly as `TableModel` does it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.compose import add_prefix

from tuneloop.api import ExportSpec, RunError
from tuneloop_sklearn.convert import convert
from tuneloop_sklearn.model import CATEGORICAL, FLOOR, NUMERIC, TableModel

_PREFIX = "estimator/"


class _Parts:
    """Nodes and constants of the graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def make_graph(model: TableModel, spec: ExportSpec) -> onnx.ModelProto:
    """The whole graph, checked.

    Raises:
        RunError: The estimator cannot be converted.
    """
    converted = add_prefix(convert(model), _PREFIX)
    parts = _Parts()
    _features(parts, model, converted.graph.input[0].name)
    parts.nodes.extend(converted.graph.node)
    parts.constants.extend(converted.graph.initializer)
    _logits(parts, model, converted.graph, spec.outputs[0].name)
    graph = helper.make_graph(
        parts.nodes,
        "tuneloop-sklearn",
        [_described(tensor) for tensor in spec.inputs],
        [_described(tensor) for tensor in spec.outputs],
        initializer=parts.constants,
    )
    whole = helper.make_model(
        graph,
        # skl2onnx writes these in the order of a set, which differs from process to process.
        opset_imports=sorted(converted.opset_import, key=lambda opset: opset.domain),
        ir_version=converted.ir_version,
        producer_name="tuneloop-sklearn",
        functions=converted.functions,
    )
    try:
        onnx.checker.check_model(whole, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise RunError(f"the graph of {type(model.estimator).__name__} is not valid ONNX: {error}") from error
    return whole


def _features(parts: _Parts, model: TableModel, target: str) -> None:
    found = [NUMERIC] if model.width else []
    if model.cardinalities:
        column, position = model.one_hot()
        taken = parts.node("Gather", [CATEGORICAL, parts.constant("features/column", column)], "features/taken", axis=1)
        equal = parts.node("Equal", [taken, parts.constant("features/position", position)], "features/equal")
        found.append(parts.node("Cast", [equal], "features/one_hot", to=onnx.TensorProto.FLOAT))
    parts.node("Concat", found, target, axis=1)


def _logits(parts: _Parts, model: TableModel, graph: onnx.GraphProto, target: str) -> None:
    if not model.classifies:
        shape = parts.constant("logits/shape", np.array([-1, 1], dtype=np.int64))
        parts.node("Reshape", [graph.output[0].name, shape], target)
        return
    # A classifier has two outputs: the label, which is not needed, and the probabilities.
    scores, classes = graph.output[1].name, model.classes()
    if not np.array_equal(classes, np.arange(model.outputs)):
        places = np.eye(model.outputs, dtype=np.float32)[classes]
        scores = parts.node("MatMul", [scores, parts.constant("logits/places", places)], "logits/scores")
    floor = parts.constant("logits/floor", np.array(FLOOR, dtype=np.float32))
    parts.node("Log", [parts.node("Max", [scores, floor], "logits/raised")], target)


def _described(tensor: Any) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        tensor.name, helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), tensor.shape
    )

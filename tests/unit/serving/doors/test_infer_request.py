from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import Column, RequestError, Tensor
from tuneloop.artifact import Signature
from tuneloop.serving.doors.infer_request import InferRequest, are_tensors, read_infer_request, rows_of
from tuneloop.serving.doors.problems import Problem

SIGNATURE = Signature(
    columns=(Column("size", "number"), Column("town", "text")),
    inputs=(Tensor("ids", "int64", ("batch", "length")), Tensor("mask", "int64", ("batch", "length"))),
    outputs=(Tensor("logits", "float32", ("batch", 2)),),
    output_names=("no", "yes"),
)
ONE = {"name": "x", "shape": [1], "datatype": "INT64", "data": [1]}


def read(**members: Any) -> InferRequest:
    return read_infer_request(json.dumps({"inputs": [ONE], **members}).encode(), None)


def arrays(*shapes: tuple[int, ...], dtype: str = "int64") -> dict[str, Any]:
    return {name: np.zeros(shape, dtype) for name, shape in zip(("ids", "mask"), shapes, strict=True)}


def test_what_is_null_is_taken_as_left_out() -> None:
    request = read(id=None, parameters=None, outputs=None)
    assert request.id is None
    assert request.wanted(["a", "b"]) == {"a": False, "b": False}


def test_binary_is_asked_for_everywhere_or_by_output() -> None:
    everywhere = {"binary_data_output": True}
    assert read(parameters=everywhere).wanted(["a", "b"]) == {"a": True, "b": True}
    listed = [{"name": "b", "parameters": {"binary_data": False}}, {"name": "a"}]
    assert read(parameters=everywhere, outputs=listed).wanted(["a", "b"]) == {"b": False, "a": True}


@pytest.mark.parametrize("where", ["parameters", "outputs", "inputs"])
@pytest.mark.parametrize("name", ["classification", "shared_memory_region"])
def test_what_would_change_the_answer_is_refused(where: str, name: str) -> None:
    asked = {"parameters": {name: 1}}
    members = {
        "parameters": asked,
        "outputs": {"outputs": [{"name": "a", **asked}]},
        "inputs": {"inputs": [ONE | asked]},
    }
    with pytest.raises(Problem, match=f"{name!r}, which is not supported"):
        read(**members[where]).wanted(["a"])


@pytest.mark.parametrize("header", [b"", b"x", b"-1", b"1.5", b"999", b"9" * 5000, "٣".encode()])
def test_a_length_that_does_not_fit_is_refused(header: bytes) -> None:
    with pytest.raises(Problem, match="does not fit the body"):
        read_infer_request(b'{"inputs": []}', header)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (arrays((2, 3), (2, 4)), "has shape"),
        (arrays((2, 3), (3, 3)), "has shape"),
        (arrays((2,), (2,)), "has shape"),
        (arrays((2, 3), (2, 3), dtype="int32"), "has datatype INT32, not INT64"),
        (arrays((1, 9), (1, 9)), "has an axis longer than 8"),
        ({"ids": np.zeros((1, 1), "int64")}, "must be the columns size, town or the tensors ids, mask; given: ids"),
    ],
)
def test_tensors_that_are_not_the_models_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Problem, match=said):
        are_tensors(given, SIGNATURE, 8)


def test_tensors_and_columns_are_told_apart_by_name() -> None:
    assert are_tensors(arrays((2, 8), (2, 8)), SIGNATURE, 8)
    columns = {"town": np.array(["Ulm", "Bonn"], dtype=object), "size": np.array([[1.0], [2.0]])}
    assert not are_tensors(columns, SIGNATURE, 8)
    assert rows_of(columns) == [{"town": "Ulm", "size": 1.0}, {"town": "Bonn", "size": 2.0}]
    with pytest.raises(RequestError, match="different numbers of rows"):
        rows_of({**columns, "size": np.zeros(3)})


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": values | st.just("x"),
        "shape": values | st.lists(st.integers(-1, 3), max_size=3),
        "datatype": values | st.sampled_from(["FP32", "BYTES", "BOOL"]),
        "data": values,
        "parameters": values | st.fixed_dictionaries({"binary_data_size": values | st.integers(0, 20)}),
    },
)
members = st.fixed_dictionaries(
    {},
    optional={"id": values, "parameters": values, "inputs": values | st.lists(tensors, max_size=3), "outputs": values},
)


@given(member=members, tail=st.binary(max_size=20), header=st.none() | st.integers(-5, 5) | st.binary(max_size=6))
def test_anything_is_a_request_or_a_problem(member: dict[str, Any], tail: bytes, header: Any) -> None:
    text = json.dumps(member).encode()
    length = str(len(text) + header).encode() if isinstance(header, int) else header
    try:
        request = read_infer_request(text + tail, length)
        wanted = request.wanted(["a"])
    except Problem:
        return
    assert request.tensors
    assert set(wanted) <= {"a"}

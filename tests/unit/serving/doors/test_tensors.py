from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tuneloop.serving.doors.problems import Problem
from tuneloop.serving.doors.tensors import DATATYPES, DTYPES, read_tensor, write_tensor

names = sorted(set(DATATYPES) - {"object"})


def arrays_of(name: str) -> st.SearchStrategy[Any]:
    options: dict[str, Any] = (
        {"elements": {"allow_nan": False, "allow_infinity": False}} if name.startswith("float") else {}
    )
    return hnp.arrays(np.dtype(name), hnp.array_shapes(max_dims=3, max_side=4), **options)


@given(array=st.sampled_from(names).flatmap(arrays_of), nested=st.booleans())
def test_arrays_go_there_and_back_in_json(array: Any, nested: bool) -> None:
    head, raw = write_tensor("x", array, binary=False)
    assert raw == b""
    head["data"] = array.tolist() if nested else head["data"]
    name, back = read_tensor(head, 0, None)
    assert (name, back.dtype) == ("x", array.dtype)
    np.testing.assert_array_equal(back, array)


@given(array=st.sampled_from(names).flatmap(arrays_of))
def test_arrays_go_there_and_back_in_binary(array: Any) -> None:
    head, raw = write_tensor("x", array, binary=True)
    assert head["parameters"]["binary_data_size"] == len(raw)
    np.testing.assert_array_equal(read_tensor(head, 0, raw)[1], array)


@given(texts=st.lists(st.text(), min_size=1, max_size=8), binary=st.booleans())
def test_texts_go_there_and_back(texts: list[str], binary: bool) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    head, raw = write_tensor("x", array, binary=binary)
    assert head["datatype"] == "BYTES"
    assert read_tensor(head, 0, raw if binary else None)[1].tolist() == texts


@pytest.mark.parametrize(
    ("item", "raw", "said"),
    [
        (7, None, "must be an object"),
        ({"shape": [1], "datatype": "FP32", "data": [1]}, None, "must be an object"),
        ({"name": "x", "shape": [1], "datatype": "FP33", "data": [1]}, None, "no known datatype"),
        ({"name": "x", "shape": [1], "datatype": ["FP32"], "data": [1]}, None, "no known datatype"),
        ({"name": "x", "shape": [], "datatype": "FP32", "data": []}, None, "no valid shape"),
        ({"name": "x", "shape": [0], "datatype": "FP32", "data": []}, None, "no valid shape"),
        ({"name": "x", "shape": [-1], "datatype": "FP32", "data": [1]}, None, "no valid shape"),
        ({"name": "x", "shape": [True], "datatype": "FP32", "data": [1]}, None, "no valid shape"),
        ({"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3]}, None, "has 3 values"),
        ({"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3]]}, None, "do not fit"),
        ({"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2, 3, 4]]}, None, "do not fit"),
        ({"name": "x", "shape": [2], "datatype": "FP32", "data": [1, [2]]}, None, "which is no FP32"),
        ({"name": "x", "shape": [1], "datatype": "FP32", "data": ["1"]}, None, "which is no FP32"),
        ({"name": "x", "shape": [1], "datatype": "INT64", "data": [1.5]}, None, "which is no INT64"),
        ({"name": "x", "shape": [1], "datatype": "INT64", "data": [True]}, None, "which is no INT64"),
        ({"name": "x", "shape": [1], "datatype": "INT8", "data": [300]}, None, "outside the range"),
        ({"name": "x", "shape": [1], "datatype": "FP32", "data": [1e300]}, None, "not finite"),
        ({"name": "x", "shape": [1], "datatype": "FP32"}, None, "has no data"),
        ({"name": "x", "shape": [1], "datatype": "FP32", "data": "1"}, None, "a list"),
        ({"name": "x", "shape": [1], "datatype": "BYTES", "data": [1]}, None, "must hold texts"),
        ({"name": "x", "shape": [2], "datatype": "FP32"}, b"1234", "has 4 bytes"),
        ({"name": "x", "shape": [1], "datatype": "FP32"}, np.float32(np.nan).tobytes(), "not finite"),
        ({"name": "x", "shape": [1], "datatype": "BYTES"}, b"\x09\0\0\0abc", "end within a text"),
        ({"name": "x", "shape": [1], "datatype": "BYTES"}, b"\x01\0", "end within a length"),
        ({"name": "x", "shape": [1], "datatype": "BYTES"}, b"\x01\0\0\0\xff", "no UTF-8"),
        ({"name": "x", "shape": [2], "datatype": "BYTES"}, b"\x01\0\0\0a", "has 1 texts"),
    ],
)
def test_what_is_no_tensor_is_refused_with_its_name(item: Any, raw: bytes | None, said: str) -> None:
    with pytest.raises(Problem, match=said) as caught:
        read_tensor(item, 3, raw)
    assert caught.value.kind == "invalid-request"
    assert caught.value.field in ("x", "inputs[3]")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(
    item=json_values
    | st.fixed_dictionaries(
        {},
        optional={
            "name": json_values | st.just("x"),
            "shape": json_values | st.lists(st.integers(-1, 4), max_size=3),
            "datatype": json_values | st.sampled_from(sorted(DTYPES)),
            "data": json_values,
        },
    ),
    raw=st.none() | st.binary(max_size=16),
)
def test_anything_is_a_tensor_or_a_problem(item: Any, raw: bytes | None) -> None:
    try:
        _, array = read_tensor(item, 0, raw)
    except Problem:
        return
    assert list(array.shape) == item["shape"]

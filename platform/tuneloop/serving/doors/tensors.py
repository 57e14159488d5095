"""Tensors of the Open Inference Protocol v2, in JSON and in its binary extension, to NumPy and back."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.serving.doors.problems import Problem

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "object": "BYTES",
}
"""NumPy dtype name to the protocol's."""
DTYPES = {datatype: name for name, datatype in DATATYPES.items()}

# `dtype.name` is worked out anew each time it is asked for, at the price of a whole tensor's JSON.
_DATATYPE_OF = {np.dtype(name): datatype for name, datatype in DATATYPES.items()}
_LITTLE_ENDIAN = {datatype: np.dtype(name).newbyteorder("<") for name, datatype in DATATYPES.items()}
_VALUE_TYPES: dict[str, frozenset[type]] = {"b": frozenset((bool,)), "f": frozenset((int, float))}
_INTEGERS: frozenset[type] = frozenset((int,))
_MOST_AXES = 8


def datatype_of(array: NDArray[Any]) -> str:
    """The protocol's name of an array's type.

    Raises:
        KeyError: It has none.
    """
    return _DATATYPE_OF[array.dtype]


def all_finite(array: NDArray[Any]) -> bool:
    """Whether an array holds neither NaN nor infinity; true of any that holds no floats."""
    return array.dtype.kind != "f" or np.count_nonzero(np.isfinite(array)) == array.size


def read_tensor(item: Any, position: int, binary: bytes | None) -> tuple[str, NDArray[Any]]:
    """One element of a request's `inputs`: its name and its array, of exactly the shape and type it states.

    Args:
        item: The JSON object.
        position: In `inputs`, for messages.
        binary: Its raw bytes, where they follow the JSON; None: `data` holds the values.

    Raises:
        Problem: It is not a tensor, or its data do not fit its shape or type; names it.
    """
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise Problem("invalid-request", "must be an object with: name, shape, datatype, data", f"inputs[{position}]")
    name: str = item["name"][:80]
    shape, datatype = item.get("shape"), item.get("datatype")
    if not isinstance(datatype, str) or datatype not in DTYPES:
        raise Problem("invalid-request", f"has no known datatype; known: {', '.join(DTYPES)}", name)
    if not isinstance(shape, list) or not 0 < len(shape) <= _MOST_AXES or not all(_is_size(size) for size in shape):
        raise Problem("invalid-request", f"has no valid shape; a shape is a list of 1 to {_MOST_AXES} sizes", name)
    count = math.prod(shape)
    if binary is not None:
        values = _from_binary(binary, datatype, count, name)
    else:
        if "data" not in item:
            raise Problem("invalid-request", "has no data", name)
        values = _from_json(item["data"], shape, datatype, count, name)
    if not all_finite(values):
        raise Problem("invalid-request", "holds a number that is not finite", name)
    return name, values.reshape(shape)


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 < size < 1 << 31


def _from_json(data: Any, shape: Sequence[int], datatype: str, count: int, name: str) -> NDArray[Any]:
    flat = _flatten(data, shape, name)
    if len(flat) != count:
        raise Problem("invalid-request", f"has {len(flat)} values; its shape {list(shape)} needs {count}", name)
    if datatype == "BYTES":
        if not all(isinstance(value, str) for value in flat):
            raise Problem("invalid-request", "must hold texts, as its datatype is BYTES", name)
        texts = np.empty(count, dtype=object)
        texts[:] = flat
        return texts
    wanted = np.dtype(DTYPES[datatype])
    types = _VALUE_TYPES.get(wanted.kind, _INTEGERS)
    if not types.issuperset(map(type, flat)):
        wrong = next(value for value in flat if type(value) not in types)
        raise Problem("invalid-request", f"holds {str(wrong)[:40]!r}, which is no {datatype}", name)
    try:
        with np.errstate(over="ignore"):
            return np.array(flat, dtype=wanted)
    except (OverflowError, ValueError, TypeError) as error:
        raise Problem("invalid-request", f"holds a value outside the range of {datatype}", name) from error


def _flatten(data: Any, shape: Sequence[int], name: str) -> list[Any]:
    """Values in row order; `data` is flat, or nested exactly as the shape says."""
    if not isinstance(data, list):
        raise Problem("invalid-request", "must have a list as data", name)
    if not data or not isinstance(data[0], list):
        return data
    level = data
    for depth, size in enumerate(shape):
        last = depth == len(shape) - 1
        if depth == 0:
            if len(level) != size:
                raise Problem("invalid-request", f"has data that do not fit its shape {list(shape)}", name)
            continue
        if not all(isinstance(part, list) and len(part) == size for part in level):
            raise Problem("invalid-request", f"has data that do not fit its shape {list(shape)}", name)
        level = [value for part in level for value in part]
        if last and any(isinstance(value, list) for value in level):
            raise Problem("invalid-request", f"has data that do not fit its shape {list(shape)}", name)
    return level


def _from_binary(raw: bytes, datatype: str, count: int, name: str) -> NDArray[Any]:
    if datatype == "BYTES":
        return _texts(raw, count, name)
    wanted = _LITTLE_ENDIAN[datatype]
    if len(raw) != count * wanted.itemsize:
        raise Problem(
            "invalid-request", f"has {len(raw)} bytes; its shape and datatype need {count * wanted.itemsize}", name
        )
    return np.frombuffer(raw, wanted)


def _texts(raw: bytes, count: int, name: str) -> NDArray[Any]:
    texts: list[str] = []
    start = 0
    while start < len(raw):
        if start + 4 > len(raw):
            raise Problem("invalid-request", "has bytes that end within a length", name)
        (size,) = struct.unpack_from("<I", raw, start)
        start += 4
        if start + size > len(raw):
            raise Problem("invalid-request", "has bytes that end within a text", name)
        try:
            texts.append(raw[start : start + size].decode())
        except UnicodeDecodeError as error:
            raise Problem("invalid-request", "holds bytes that are no UTF-8 text", name) from error
        start += size
    if len(texts) != count:
        raise Problem("invalid-request", f"has {len(texts)} texts; its shape needs {count}", name)
    array = np.empty(count, dtype=object)
    array[:] = texts
    return array


def write_tensor(name: str, array: NDArray[Any], *, binary: bool) -> tuple[dict[str, Any], bytes]:
    """One element of a response's `outputs`, and the raw bytes that follow the JSON if `binary`."""
    head: dict[str, Any] = {"name": name, "datatype": datatype_of(array), "shape": list(array.shape)}
    if not binary:
        head["data"] = array.ravel().tolist()
        return head, b""
    if array.dtype == object:
        texts = [str(value).encode() for value in array.ravel()]
        raw = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    else:
        raw = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    head["parameters"] = {"binary_data_size": len(raw)}
    return head, raw

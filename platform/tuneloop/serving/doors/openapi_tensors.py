"""JSON Schemas of the Open Inference Protocol v2, with an example made from golden rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneloop.api import Column, Row
from tuneloop.serving.doors.metadata import COLUMN_TYPES
from tuneloop.serving.doors.tensors import DTYPES

_NAME = {"type": "string", "maxLength": 80}
_PARAMETERS = {"type": ["object", "null"], "description": "Parameters that are not known are passed over."}
_TENSOR: dict[str, Any] = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": _NAME,
        "shape": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 8},
        "datatype": {"type": "string", "enum": list(DTYPES)},
        "data": {"type": "array", "description": "Values in row order, flat or nested as the shape says."},
        "parameters": _PARAMETERS,
    },
}
INFER_REQUEST: dict[str, Any] = {
    "type": "object",
    "description": "The model's tensors, or the request's columns with one value a row.",
    "required": ["inputs"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": ["string", "null"], "description": "Comes back with the answer."},
        "parameters": _PARAMETERS,
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1},
        "outputs": {
            "type": ["array", "null"],
            "description": "The outputs wanted; absent: all of them.",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": _NAME, "parameters": _PARAMETERS},
            },
        },
    },
}
INFER_RESPONSE: dict[str, Any] = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "id": {"type": "string"},
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "parameters": _PARAMETERS,
        "outputs": {"type": "array", "items": _TENSOR},
    },
}
_DESCRIBED = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "datatype", "shape"],
        "properties": {
            "name": {"type": "string"},
            "datatype": {"type": "string", "enum": list(DTYPES)},
            "shape": {"type": "array", "items": {"type": "integer"}},
        },
    },
}
METADATA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "versions", "platform", "inputs", "outputs"],
    "properties": {
        "name": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "platform": {"type": "string"},
        "inputs": _DESCRIBED,
        "outputs": _DESCRIBED,
        "parameters": {
            "type": "object",
            "properties": {"task": {"type": "string"}, "columns": _DESCRIBED, "answers": _DESCRIBED},
        },
    },
}


def infer_example(columns: Sequence[Column], rows: Sequence[Row]) -> dict[str, Any]:
    """The member `example` with the first rows that have every value, as columns; empty where there are none."""
    whole = [row for row in rows if all(row[column.name] is not None for column in columns)][:2]
    if not whole:
        return {}
    inputs = [
        {
            "name": column.name,
            "shape": [len(whole)],
            "datatype": COLUMN_TYPES[column.kind],
            "data": [_value(row[column.name], column) for row in whole],
        }
        for column in columns
    ]
    return {"example": {"inputs": inputs}}


def _value(value: Any, column: Column) -> Any:
    if column.kind == "number":
        return value
    return " ".join(value) if isinstance(value, list) else str(value)

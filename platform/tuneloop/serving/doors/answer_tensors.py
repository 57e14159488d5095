"""Answers as tensors: what the raw door returns beside the model's outputs when a request sends columns."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Answer, Arrays
from tuneloop.serving.doors.tensors import DATATYPES

ID = "id"
"""The tensor of prediction ids, under which labels may come back."""

_TEXT = "object"
_DTYPES: dict[Any, str] = {str: _TEXT, bool: "bool", int: "int64", float: "float64"}


@dataclass(frozen=True, slots=True)
class AnswerTensor:
    """One field of an answer as a tensor.

    Attributes:
        name: Of the field.
        dtype: NumPy's name; `object` for texts.
        by_output: Whether the field maps each output of the model to a number, as `scores` does: its tensor is
            `[rows, outputs]`, any other is `[rows]`.
    """

    name: str
    dtype: str
    by_output: bool = False

    def metadata(self, outputs: Sequence[str]) -> dict[str, Any]:
        """It in the protocol's words; `outputs` are the names of the model's outputs, by position."""
        described: dict[str, Any] = {"name": self.name, "datatype": DATATYPES[self.dtype], "shape": [-1]}
        if self.by_output:
            described |= {"shape": [-1, len(outputs)], "parameters": {"labels": list(outputs)}}
        return described


@functools.cache
def answer_tensors(model: type[pydantic.BaseModel]) -> tuple[AnswerTensor, ...]:
    """The tensors of a task's answers: the id, plain fields, and numbers by output. Other fields have none."""
    found = [AnswerTensor(ID, _TEXT)]
    for name, field in model.model_fields.items():
        if name == ID:
            continue
        if field.annotation in _DTYPES:
            found.append(AnswerTensor(name, _DTYPES[field.annotation]))
        elif field.annotation == dict[str, float]:
            found.append(AnswerTensor(name, "float64", by_output=True))
    return tuple(found)


def write_answers(tensors: Sequence[AnswerTensor], answers: Sequence[Answer], ids: Sequence[str]) -> Arrays:
    """The arrays of these answers, all of one version; first axis the rows."""
    found: Arrays = {}
    for tensor in tensors:
        values: Sequence[Any]
        if tensor.name == ID:
            values = ids
        elif tensor.by_output:
            names = list(answers[0][tensor.name])
            values = [[answer[tensor.name][name] for name in names] for answer in answers]
        else:
            values = [answer[tensor.name] for answer in answers]
        found[tensor.name] = _texts(values) if tensor.dtype == _TEXT else np.array(values, dtype=tensor.dtype)
    return found


def _texts(values: Sequence[str]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array

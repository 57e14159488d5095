"""A request for inference in the Open Inference Protocol v2: its tensors, checked, and the outputs it wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tuneloop.api import Arrays, RequestError, Row, Tensor
from tuneloop.artifact import Signature
from tuneloop.serving.doors.body import MOST_ROWS, parse_object
from tuneloop.serving.doors.problems import Problem
from tuneloop.serving.doors.tensors import DATATYPES, datatype_of, read_tensor

_UNSUPPORTED = ("classification", "shared_memory_region")
"""Parameters of Triton's extensions that change what an answer means: refused, as to overlook them would mislead."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request that was read.

    Attributes:
        id: What the answer repeats; None: nothing.
        tensors: What it sends, by name.
        members: The JSON object, without what is null.
    """

    id: str | None
    tensors: Arrays
    members: Mapping[str, Any]

    def wanted(self, names: Sequence[str]) -> dict[str, bool]:
        """Output name to whether it is sent as binary; those the request lists, or all there are.

        Args:
            names: Of the outputs there are.

        Raises:
            Problem: It lists none, or one that there is not.
        """
        return _wanted(self.members, names)


def read_infer_request(body: bytes, header: bytes | None) -> InferRequest:
    """Read a body.

    Args:
        body: JSON, and the raw bytes of tensors behind it.
        header: `Inference-Header-Content-Length`, the length of the JSON; None: there is nothing behind it.

    Raises:
        Problem: It is no such request; names the tensor or key at fault.
    """
    text, tail = _split(body, header)
    members = _present(parse_object(text, ("id", "parameters", "inputs", "outputs")))
    id_ = members.get("id")
    if id_ is not None and not isinstance(id_, str):
        raise Problem("invalid-request", "must be a text", "id")
    _parameters(members, "parameters")
    return InferRequest(id_, _inputs(members, tail), members)


def _split(body: bytes, header: bytes | None) -> tuple[bytes, bytes]:
    """The JSON and the binary tensors behind it."""
    if header is None:
        return body, b""
    # A longer number is none that Python would read.
    if not header.isdigit() or len(header) > 20 or int(header) > len(body):
        raise Problem("invalid-request", "the header Inference-Header-Content-Length does not fit the body")
    return body[: int(header)], body[int(header) :]


def _inputs(request: Mapping[str, Any], tail: bytes) -> Arrays:
    items = request.get("inputs")
    if not isinstance(items, list) or not items:
        raise Problem("invalid-request", "must be a non-empty list of tensors", "inputs")
    given: Arrays = {}
    start = 0
    for position, item in enumerate(items):
        size = _parameters(item, f"inputs[{position}]").get("binary_data_size")
        binary = None
        if size is not None:
            if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(tail) - start:
                raise Problem(
                    "invalid-request", "has a binary_data_size that does not fit the body", f"inputs[{position}]"
                )
            binary = tail[start : start + size]
            start += size
        name, array = read_tensor(item, position, binary)
        if name in given:
            raise Problem("invalid-request", "is given twice", name)
        if array.shape[0] > MOST_ROWS:
            raise Problem("too-many-rows", f"has {array.shape[0]} rows; at most {MOST_ROWS} are taken", name)
        given[name] = array
    if start != len(tail):
        raise Problem("invalid-request", f"{len(tail) - start} bytes behind the JSON belong to no input")
    return given


def are_tensors(given: Arrays, signature: Signature, longest: int) -> bool:
    """Whether these are the model's own tensors, of right type and shape; otherwise they are columns.

    Raises:
        Problem: They are neither.
    """
    tensors, columns = [tensor.name for tensor in signature.inputs], [column.name for column in signature.columns]
    if given.keys() == set(tensors):
        _check_raw(given, signature.inputs, longest)
        return True
    if given.keys() == set(columns):
        return False
    said = f"must be the columns {', '.join(columns)} or the tensors {', '.join(tensors)}; given: {', '.join(given)}"
    raise Problem("invalid-request", said, "inputs")


def _check_raw(given: Arrays, tensors: Sequence[Tensor], longest: int) -> None:
    """Types and shapes are the model's; a symbolic axis has one size in all inputs, and is no longer than `longest`.

    Raises:
        Problem: Names the tensor.
    """
    sizes: dict[str, int] = {}
    for tensor in tensors:
        array = given[tensor.name]
        if array.dtype != tensor.dtype:
            raise Problem(
                "invalid-request",
                f"has datatype {datatype_of(array)}, not {DATATYPES[tensor.dtype]}",
                tensor.name,
            )
        fits = len(array.shape) == len(tensor.shape)
        for found, size in zip(array.shape, tensor.shape, strict=False):
            expected = sizes.setdefault(size, found) if isinstance(size, str) else size
            fits = fits and found == expected
        if not fits:
            raise Problem("invalid-request", f"has shape {list(array.shape)}, not {list(tensor.shape)}", tensor.name)
        named = zip(array.shape[1:], tensor.shape[1:], strict=True)
        if any(found > longest for found, size in named if isinstance(size, str)):
            # Attention costs the square of it, in memory too.
            raise Problem("invalid-request", f"has an axis longer than {longest}", tensor.name)


def rows_of(given: Arrays) -> list[Row]:
    """Columns as rows; each column is `[n]` or `[n, 1]`."""
    flat: dict[str, NDArray[Any]] = {}
    for name, array in given.items():
        if array.size != array.shape[0]:
            raise Problem("invalid-request", f"has shape {list(array.shape)}; a column has one value a row", name)
        flat[name] = array.reshape(-1)
    counts = {name: len(array) for name, array in flat.items()}
    if len(set(counts.values())) != 1:
        raise RequestError(f"columns have different numbers of rows: {counts}", field="inputs")
    names, values = list(flat), [array.tolist() for array in flat.values()]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _wanted(request: Mapping[str, Any], names: Sequence[str]) -> dict[str, bool]:
    """Output name to whether it is sent as binary; those the request lists, or all there are.

    Raises:
        Problem: It lists none, or one that there is not.
    """
    everywhere = _parameters(request, "parameters").get("binary_data_output") is True
    listed = request.get("outputs")
    if listed is None:
        return dict.fromkeys(names, everywhere)
    if not isinstance(listed, list) or not listed:
        raise Problem("invalid-request", "must be a non-empty list, or absent for all outputs", "outputs")
    wanted: dict[str, bool] = {}
    for item in listed:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name not in names:
            raise Problem("invalid-request", f"asks for {str(name)[:80]!r}; there are: {', '.join(names)}", "outputs")
        wanted[name] = _parameters(item, "outputs").get("binary_data", everywhere) is True
    return wanted


def _present(request: Mapping[str, Any]) -> dict[str, Any]:
    """The members that hold something: some clients send null for what they leave out."""
    return {name: value for name, value in request.items() if value is not None}


def _parameters(holder: Any, field: str) -> Mapping[str, Any]:
    """The parameters of a request, an input or an output; those unknown here are passed over, as the protocol says.

    Raises:
        Problem: They are no object, or ask for what this server does not do.
    """
    parameters = holder.get("parameters") if isinstance(holder, dict) else None
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Problem("invalid-request", "has parameters that are no object", field)
    for name in _UNSUPPORTED:
        if name in parameters:
            raise Problem("invalid-request", f"has the parameter {name!r}, which is not supported here", field)
    return parameters

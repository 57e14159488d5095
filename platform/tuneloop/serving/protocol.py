"""The raw door: the Open Inference Protocol v2 over REST, JSON and binary tensors, straight on ASGI.

Two ways in. Tensors named as the model's inputs go to the model as they are: counted, neither watched nor stored.
Tensors named as the request's columns, one value a row, go through the preprocessor like rows of `/predict`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

import tuneloop
from tuneloop.api import Answer, Arrays, RequestError, Row, Tensor
from tuneloop.artifact import Manifest
from tuneloop.serving.body import MOST_ROWS, parse_object, read_body
from tuneloop.serving.engine import Engine
from tuneloop.serving.problems import MEDIA_TYPE, Problem, as_problem
from tuneloop.serving.refusals import count_refusal
from tuneloop.serving.tensors import DATATYPES, read_tensor, write_tensor

logger = logging.getLogger(__name__)

MOST_LENGTH = 4096
"""Of a symbolic axis in raw tensors: attention costs its square."""

_JSON = "application/json"
_HEADER_LENGTH = b"inference-header-content-length"
_COLUMN_TYPES = {"text": "BYTES", "category": "BYTES", "number": "FP64"}


class ProtocolDoor:
    """An ASGI application for everything under `/v2`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request; every failure is a JSON problem."""
        try:
            status, head, body = await self._answer(scope, receive)
        except Exception as error:
            problem = as_problem(error)
            if problem.kind == "internal":
                logger.exception("%s failed", scope["path"])
            count_refusal(self._engine.model, problem)
            status, body = problem.status, problem.body()
            head = {"content-type": MEDIA_TYPE, **problem.headers}
        raw = [(name.encode(), value.encode()) for name, value in head.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Mapping[str, Any], receive: Any) -> tuple[int, dict[str, str], bytes]:
        parts = [part for part in scope["path"].split("/") if part]
        if parts == ["v2"]:
            return _json({"name": "tuneloop", "version": tuneloop.__version__, "extensions": ["binary_tensor_data"]})
        if parts == ["v2", "health", "live"]:
            return _json({"live": True})
        if parts == ["v2", "health", "ready"]:
            self._engine.live  # noqa: B018
            return _json({"ready": True})
        return await self._model(parts[2:], scope, receive)

    async def _model(
        self, parts: Sequence[str], scope: Mapping[str, Any], receive: Any
    ) -> tuple[int, dict[str, str], bytes]:
        """What lies under `/v2/models`: NAME, then perhaps `versions`/V, then perhaps `ready` or `infer`."""
        live = self._engine.live
        name, *rest = parts
        if name != self._engine.model:
            raise Problem("unknown-model", f"the model {name[:80]!r} is not served here; served: {self._engine.model}")
        if len(rest) >= 2 and rest[0] == "versions":
            if rest[1] != live.version:
                raise Problem("unknown-model", f"version {rest[1][:80]!r} is not live; live: {live.version}")
            rest = rest[2:]
        if not rest:
            return _json(_metadata(live.artifact.manifest, live.version))
        if rest == ["ready"]:
            return _json({"name": name, "ready": True})
        return await self._infer(scope, await read_body(receive))

    async def _infer(self, scope: Mapping[str, Any], body: bytes) -> tuple[int, dict[str, str], bytes]:
        header = dict(scope["headers"]).get(_HEADER_LENGTH)
        text, tail = _split(body, header)
        request = parse_object(text, ("id", "parameters", "inputs", "outputs"))
        given = _inputs(request, tail)
        version, outputs = await self._run(given, len(body))
        wanted = _wanted(request, outputs)
        heads, raws = zip(*(write_tensor(n, outputs[n], binary=b) for n, b in wanted.items()), strict=True)
        answer: dict[str, Any] = {"model_name": self._engine.model, "model_version": version, "outputs": list(heads)}
        if isinstance(request.get("id"), str):
            answer["id"] = request["id"]
        encoded = orjson.dumps(answer)
        if not any(wanted.values()):
            return 200, {"content-type": _JSON}, encoded
        head = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(encoded))}
        return 200, head, encoded + b"".join(raws)

    async def _run(self, given: Arrays, size: int) -> tuple[str, Arrays]:
        signature = self._engine.live.artifact.manifest.signature
        columns = {column.name: column.kind for column in signature.columns}
        if given.keys() == {tensor.name for tensor in signature.inputs}:
            _check_raw(given, signature.inputs)
            return await self._engine.infer(given)
        if given.keys() != columns.keys():
            tensors = ", ".join(tensor.name for tensor in signature.inputs)
            raise Problem(
                "invalid-request",
                f"must be the columns {', '.join(columns)} or the tensors {tensors}; given: {', '.join(given)}",
                "inputs",
            )
        answered = await self._engine.predict(_rows(given), size)
        return answered.version, {**answered.outputs, **_answer_tensors(answered.answers, answered.ids)}


def _json(value: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"content-type": _JSON}, orjson.dumps(value)


def _metadata(manifest: Manifest, version: str) -> dict[str, Any]:
    return {
        "name": manifest.model,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "inputs": [_tensor_metadata(tensor) for tensor in manifest.signature.inputs],
        "outputs": [_tensor_metadata(tensor) for tensor in manifest.signature.outputs],
        "parameters": {
            "task": manifest.task.name,
            "columns": [
                {"name": column.name, "datatype": _COLUMN_TYPES[column.kind], "shape": [-1]}
                for column in manifest.signature.columns
            ],
        },
    }


def _tensor_metadata(tensor: Tensor) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
    return {"name": tensor.name, "datatype": DATATYPES[tensor.dtype], "shape": shape}


def _split(body: bytes, header: bytes | None) -> tuple[bytes, bytes]:
    """The JSON and the binary tensors behind it."""
    if header is None:
        return body, b""
    if not header.isdigit() or int(header) > len(body):
        raise Problem("invalid-request", "the header Inference-Header-Content-Length does not fit the body")
    return body[: int(header)], body[int(header) :]


def _inputs(request: Mapping[str, Any], tail: bytes) -> Arrays:
    items = request.get("inputs")
    if not isinstance(items, list) or not items:
        raise Problem("invalid-request", "must be a non-empty list of tensors", "inputs")
    given: Arrays = {}
    start = 0
    for position, item in enumerate(items):
        parameters = item.get("parameters") if isinstance(item, dict) else None
        size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
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


def _check_raw(given: Arrays, tensors: Sequence[Tensor]) -> None:
    """Types and shapes are the model's; a symbolic axis has one size in all inputs.

    Raises:
        Problem: Names the tensor.
    """
    sizes: dict[str, int] = {}
    for tensor in tensors:
        array = given[tensor.name]
        if array.dtype.name != tensor.dtype:
            raise Problem(
                "invalid-request",
                f"has datatype {DATATYPES[array.dtype.name]}, not {DATATYPES[tensor.dtype]}",
                tensor.name,
            )
        fits = len(array.shape) == len(tensor.shape)
        for found, size in zip(array.shape, tensor.shape, strict=False):
            expected = sizes.setdefault(size, found) if isinstance(size, str) else size
            fits = fits and found == expected
        if not fits:
            raise Problem("invalid-request", f"has shape {list(array.shape)}, not {list(tensor.shape)}", tensor.name)
        if max(array.shape[1:], default=0) > MOST_LENGTH:
            raise Problem("invalid-request", f"has an axis longer than {MOST_LENGTH}", tensor.name)


def _rows(given: Arrays) -> list[Row]:
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


def _answer_tensors(answers: Sequence[Answer], ids: Sequence[str]) -> Arrays:
    """The plain fields of answers as tensors, and the ids under which labels may come back."""
    found: Arrays = {"id": _objects(ids)}
    for key, value in answers[0].items():
        values = [answer[key] for answer in answers]
        if isinstance(value, str):
            found[key] = _objects(values)
        elif isinstance(value, int | float):
            found[key] = np.array(values, dtype=np.float64)
    return found


def _objects(values: Sequence[str]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _wanted(request: Mapping[str, Any], outputs: Arrays) -> dict[str, bool]:
    """Output name to whether it is sent as binary; those the request lists, or all."""
    parameters = request.get("parameters")
    everywhere = isinstance(parameters, dict) and parameters.get("binary_data_output") is True
    listed = request.get("outputs")
    if listed is None:
        return dict.fromkeys(outputs, everywhere)
    if not isinstance(listed, list) or not listed:
        raise Problem("invalid-request", "must be a non-empty list, or absent for all outputs", "outputs")
    wanted: dict[str, bool] = {}
    for item in listed:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name not in outputs:
            raise Problem("invalid-request", f"asks for {str(name)[:80]!r}; there are: {', '.join(outputs)}", "outputs")
        own = item.get("parameters")
        binary = own.get("binary_data", everywhere) if isinstance(own, dict) else everywhere
        wanted[name] = binary is True
    return wanted

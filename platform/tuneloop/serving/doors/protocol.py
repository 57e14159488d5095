"""The raw door: the Open Inference Protocol v2 over REST, JSON and binary tensors, straight on ASGI.

Two ways in. Tensors named as the model's inputs go to the model as they are: counted, neither watched nor stored.
Tensors named as the request's columns, one value a row, go through the preprocessor like rows of `/predict`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import orjson

import tuneloop
from tuneloop.serving.doors.answer_tensors import answer_tensors, write_answers
from tuneloop.serving.doors.direct import Door
from tuneloop.serving.doors.infer_request import are_tensors, read_infer_request, rows_of
from tuneloop.serving.doors.metadata import model_config, model_metadata
from tuneloop.serving.doors.problems import MEDIA_TYPE, Problem, as_problem
from tuneloop.serving.doors.refusals import count_refusal
from tuneloop.serving.doors.tensors import write_tensor
from tuneloop.serving.engine import Engine
from tuneloop.serving.versions.split import key_of
from tuneloop.serving.wishes import shown, wishes_of

logger = logging.getLogger(__name__)

_JSON = "application/json"
_HEADER_LENGTH = b"inference-header-content-length"
_EXTENSIONS = ("binary_tensor_data", "model_configuration")


class ProtocolDoor:
    """An ASGI application for everything under `/v2`.

    Args:
        engine: Answers.
        texts: Has texts generated, where the model does; None: it does not.
    """

    def __init__(self, engine: Engine, texts: Door | None = None) -> None:
        self._engine, self._texts = engine, texts

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request; every failure is a JSON problem."""
        if self._texts is not None and scope["path"].endswith(("/generate", "/generate_stream")):
            await self._texts(scope, receive, send)
            return
        try:
            status, head, body = await self._answer(scope, receive)
        except Exception as error:
            problem = as_problem(error)
            if problem.kind == "internal":
                logger.exception("%s failed", scope["path"])
            count_refusal(self._engine.model, problem)
            # Clients of the protocol look for the reason under `error`.
            status, body = problem.status, problem.body(error=problem.said)
            head = {"content-type": MEDIA_TYPE, **problem.headers}
        raw = [(name.encode(), value.encode()) for name, value in head.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Mapping[str, Any], receive: Any) -> tuple[int, dict[str, str], bytes]:
        parts = [part for part in scope["path"].split("/") if part]
        if parts == ["v2"]:
            return _json({"name": "tuneloop", "version": tuneloop.__version__, "extensions": _EXTENSIONS})
        if parts == ["v2", "health", "live"]:
            return _json({"live": True})
        if parts == ["v2", "health", "ready"]:
            self._engine.live  # noqa: B018
            return _json({"ready": True})
        return await self._model(parts[2:], scope, receive)

    async def _model(
        self, parts: Sequence[str], scope: Mapping[str, Any], receive: Any
    ) -> tuple[int, dict[str, str], bytes]:
        """What lies under `/v2/models`: NAME, then perhaps `versions`/V, then perhaps `ready`, `config` or `infer`."""
        live = self._engine.live
        name, *rest = parts
        if name != self._engine.model:
            raise Problem("unknown-model", f"the model {name[:80]!r} is not served here; served: {self._engine.model}")
        if len(rest) >= 2 and rest[0] == "versions":
            if rest[1] != live.version:
                raise Problem("unknown-model", f"version {rest[1][:80]!r} is not live; live: {live.version}")
            rest = rest[2:]
        if not rest:
            return _json(model_metadata(live))
        if rest == ["config"]:
            return _json(model_config(live))
        if rest == ["ready"]:
            return _json({"name": name, "ready": True})
        body = await self._engine.bodies.read(receive)
        try:
            return await self._infer(scope, body, pinned=parts[1] == "versions")
        finally:
            self._engine.bodies.done(body)

    async def _infer(self, scope: Mapping[str, Any], body: bytes, *, pinned: bool) -> tuple[int, dict[str, str], bytes]:
        """`pinned`: the request names a version, so no challenger answers it."""
        request = read_infer_request(body, dict(scope["headers"]).get(_HEADER_LENGTH))
        live = self._engine.live
        raw = are_tensors(request.tensors, live.artifact.manifest.signature, live.predictor.preprocessor.longest)
        tensors = () if raw else answer_tensors(live.predictor.task.AnswerModel)
        # What is asked for is checked before anything is computed, counted or stored.
        wanted = request.wanted((*live.predictor.output_names, *(tensor.name for tensor in tensors)))
        wishes = wishes_of(scope["headers"])
        stored = False if wishes.durable else None
        if raw:
            version, outputs = await self._engine.infer(request.tensors)
        else:
            rows, engine = rows_of(request.tensors), self._engine
            if pinned:
                answered = await engine.champion(rows, len(body), wishes)
            else:
                answered = await engine.predict(rows, len(body), key_of(scope["headers"]), wishes)
            version, stored = answered.version, await engine.stored(answered, wishes)
            outputs = {**answered.outputs, **write_answers(tensors, answered.answers, answered.ids)}
        # A challenger that answers may lack an output of the champion.
        written = [write_tensor(n, outputs[n], binary=b) for n, b in wanted.items() if n in outputs]
        heads, raws = zip(*written, strict=True)
        answer: dict[str, Any] = {"model_name": self._engine.model, "model_version": version, "outputs": list(heads)}
        if request.id is not None:
            answer["id"] = request.id
        if stored is not None:
            answer["parameters"] = shown(stored)
        encoded = orjson.dumps(answer)
        if not any(wanted.values()):
            return 200, {"content-type": _JSON}, encoded
        head = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(encoded))}
        return 200, head, encoded + b"".join(raws)


def _json(value: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"content-type": _JSON}, orjson.dumps(value)

"""The ASGI application of everything that generates: it reads, has texts made, and writes them whole or in pieces."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tuneloop.api import Answer
from tuneloop.serving.doors.generating.asked import Asked
from tuneloop.serving.doors.generating.events import DONE, Events, Send, while_there
from tuneloop.serving.doors.generating.openai_answer import Shape, error_of, model_card
from tuneloop.serving.doors.generating.openai_request import read_chat, read_completion
from tuneloop.serving.doors.generating.paths import CHAT, COMPLETIONS, MODELS
from tuneloop.serving.doors.generating.protocol_generate import read_generate, written
from tuneloop.serving.doors.problems import MEDIA_TYPE, Problem, as_problem
from tuneloop.serving.doors.refusals import count_refusal
from tuneloop.serving.engine import Engine
from tuneloop.serving.generating.chat import ChatTemplate
from tuneloop.serving.generating.writing import WritingPredictor
from tuneloop.serving.ids import new_ids
from tuneloop.serving.versions.split import key_of
from tuneloop.serving.wishes import shown, wishes_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Form:
    """How one request is answered: in one piece, in pieces, and at their end; None: nothing is sent there."""

    whole: Callable[[list[str], list[Answer], str], Mapping[str, Any]]
    piece: Callable[[str, str, bool], Mapping[str, Any]]
    last: Callable[[str, Answer, str], list[Mapping[str, Any]]]
    done: bytes = b""


class GeneratingDoor:
    """`/v1/...` and `/v2/models/NAME/generate[_stream]`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._created = int(time.time())

    def paths(self) -> tuple[str, ...]:
        """The paths that answer POST."""
        place = f"/v2/models/{self._engine.model}"
        return (COMPLETIONS, CHAT, f"{place}/generate", f"{place}/generate_stream")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        """Answer one request; every failure before the first piece is a JSON problem."""
        events = Events(send)
        try:
            if scope["method"] in ("GET", "HEAD"):
                await _json(send, self._models(scope["path"]))
                return
            await self._answer(scope, receive, send, events)
        except Exception as error:
            problem = as_problem(error)
            if problem.kind == "internal":
                logger.exception("%s failed", scope["path"])
            count_refusal(self._engine.model, problem)
            if events.begun:
                await events.put({"error": error_of(problem)})
                await events.end()
            else:
                await _refuse(send, problem, scope["path"])

    def _models(self, path: str) -> Mapping[str, Any]:
        model = self._engine.model
        card = model_card(model, self._created)
        if path.rstrip("/") == MODELS:
            return {"object": "list", "data": [card]}
        return card

    async def _answer(self, scope: Mapping[str, Any], receive: Any, send: Send, events: Events) -> None:
        body = await self._engine.bodies.read(receive)
        try:
            asked, form = self._read(scope["path"], body)
            if asked.stream:
                await while_there(receive, self._stream(scope, body, asked, form, events))
            else:
                await _json(send, await while_there(receive, self._whole(scope, body, asked, form)))
        finally:
            self._engine.bodies.done(body)

    def _read(self, path: str, body: bytes) -> tuple[Asked, Form]:
        model, predictor = self._engine.model, self._engine.live.predictor
        assert isinstance(predictor, WritingPredictor)
        settings = predictor.writing.settings
        if path == COMPLETIONS:
            asked = read_completion(body, model, settings.column)
            return asked, _openai(Shape(chat=False), model, asked)
        if path == CHAT:
            if settings.chat_template is None:
                raise Problem("invalid-request", f"the tokenizer has no chat template; send a prompt to {COMPLETIONS}")
            template = ChatTemplate(settings.chat_template, settings.template_words)
            asked = read_chat(body, model, settings.column, template.render)
            return asked, _openai(Shape(chat=True), model, asked)
        id_, asked = read_generate(body, settings.column, stream=path.endswith("_stream"))
        return asked, _protocol(model, self._engine.live.version, id_)

    async def _whole(self, scope: Mapping[str, Any], body: bytes, asked: Asked, form: Form) -> Mapping[str, Any]:
        wishes = replace(wishes_of(scope["headers"]), options=asked.options, rendered=asked.rendered)
        answered = await self._engine.predict(asked.rows, len(body), key_of(scope["headers"]), wishes)
        stored = shown(await self._engine.stored(answered, wishes))
        return {**form.whole(answered.ids, self._texts(answered.answers), answered.version), **stored}

    def _texts(self, answers: Sequence[Answer]) -> list[Answer]:
        """The answers with what was written as `text`, whatever the task calls it."""
        name = next(iter(self._engine.live.predictor.task.AnswerModel.model_fields))
        return [{"text": answer[name], **{key: v for key, v in answer.items() if key != name}} for answer in answers]

    async def _stream(self, scope: Mapping[str, Any], body: bytes, asked: Asked, form: Form, events: Events) -> None:
        wishes = replace(wishes_of(scope["headers"]), options=asked.options, rendered=asked.rendered)
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        ids = new_ids(1)
        work = asyncio.ensure_future(self._engine.stream(asked.rows, len(body), wishes, pieces.put_nowait, ids))
        work.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            first = True
            while (piece := await pieces.get()) is not None:
                await events.put(form.piece(ids[0], piece, first))
                first = False
            answered = await work
            stored = shown(await self._engine.stored(answered, wishes))
            for last in form.last(ids[0], self._texts(answered.answers)[0], answered.version):
                await events.put({**last, **stored})
            if form.done:
                await events.raw(form.done)
            await events.end()
        finally:
            work.cancel()


def _openai(shape: Shape, model: str, asked: Asked) -> Form:
    def last(id_: str, answer: Answer, _: str) -> list[Mapping[str, Any]]:
        ends: list[Mapping[str, Any]] = [shape.chunk(model, id_, "", answer["finish_reason"])]
        return [*ends, shape.usage(model, id_, answer)] if asked.usage else ends

    return Form(
        whole=lambda ids, answers, _: shape.whole(model, ids, answers),
        piece=lambda id_, piece, first: shape.chunk(model, id_, piece, first=first),
        last=last,
        done=DONE,
    )


def _protocol(model: str, version: str, id_: str | None) -> Form:
    def told(answer: Answer, prediction: str) -> Mapping[str, Any]:
        return {"prediction_id": prediction, **{name: value for name, value in answer.items() if name != "text"}}

    return Form(
        whole=lambda ids, answers, by: written(model, by, answers[0]["text"], id_, **told(answers[0], ids[0])),
        piece=lambda _, piece, __: written(model, version, piece, id_),
        last=lambda one, answer, by: [written(model, by, "", id_, **told(answer, one))],
    )


async def _json(send: Send, content: Mapping[str, Any]) -> None:
    body = orjson.dumps(content)
    await _send(send, 200, {"content-type": "application/json"}, body)


async def _refuse(send: Send, problem: Problem, path: str) -> None:
    content = orjson.loads(problem.body())
    content["error"] = error_of(problem) if path.startswith("/v1") else problem.said
    await _send(send, problem.status, {"content-type": MEDIA_TYPE, **problem.headers}, orjson.dumps(content))


async def _send(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})

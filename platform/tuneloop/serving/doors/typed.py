"""The typed door, `/predict`: named columns in, the task's answers out."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import orjson

from tuneloop.serving.doors.body import list_of, parse_object
from tuneloop.serving.doors.direct import Door
from tuneloop.serving.doors.generating.asked import object_of, read_options
from tuneloop.serving.doors.generating.events import while_there
from tuneloop.serving.doors.problems import as_problem
from tuneloop.serving.doors.refusals import count_refusal
from tuneloop.serving.engine import Engine
from tuneloop.serving.versions.split import key_of
from tuneloop.serving.wishes import shown, wishes_of

logger = logging.getLogger(__name__)


def typed_door(engine: Engine, *, generates: bool) -> Door:
    """`/predict` as an application of its own, for the short way."""
    from starlette.requests import Request

    async def door(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        response = await respond(engine, predict_rows(engine, Request(scope, receive), generates=generates))
        await response(scope, receive, send)

    return door


async def respond(engine: Engine, work: Any) -> Any:
    """What the work gives, or the problem that ended it, as a response."""
    from starlette.responses import Response

    try:
        return Response(await work, media_type="application/json")
    except Exception as error:
        problem = as_problem(error)
        if problem.kind == "internal":
            logger.exception("a request failed")
        count_refusal(engine.model, problem)
        return problem.response()


async def predict_rows(engine: Engine, request: Any, *, generates: bool) -> bytes:
    """The body of the answer to a request, its rows in order.

    Args:
        engine: Answers.
        request: A request of Starlette's.
        generates: Whether the model generates texts, so that a request may say how.

    Raises:
        RequestError: It is not what the door takes.
        OverloadedError: There is too much to do.
        DeadlinePassedError: It waited too long.
    """
    body = await engine.bodies.read(request.receive)
    try:
        given = parse_object(body, ("rows", "options") if generates else ("rows",))
        rows = list_of(given, "rows", "rows")
        headers = request.scope["headers"]
        wishes = wishes_of(headers)
        if generates:
            wishes = replace(wishes, options=read_options(object_of(given, "options")))
        work = engine.predict(rows, len(body), key_of(headers), wishes)
        # A text takes long: nobody goes on with one that is for nobody.
        answered = await (while_there(request.receive, work) if generates else work)
    finally:
        engine.bodies.done(body)
    predictions = [{"id": i, **answer} for i, answer in zip(answered.ids, answered.answers, strict=True)]
    content = {"model": engine.model, "version": answered.version, "predictions": predictions}
    return orjson.dumps(content | shown(await engine.stored(answered, wishes)))

"""The web side of `tuneloop loop`: alerts come in, decisions go out. Nothing is answered 200 before it is stored."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pydantic

from tuneloop.api import MissingExtraError
from tuneloop.loop.brain import Brain, as_json
from tuneloop.loop.deciding.decisions import Decision
from tuneloop.loop.problems import Problem
from tuneloop.loop.token import accepted
from tuneloop.loop.webhook import Payload

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Mount

logger = logging.getLogger(__name__)

MOST_BYTES = 1 << 20
"""Of a body. A thousand alerts with long texts take half of it."""

Endpoint = Callable[["Request"], Awaitable["Response"]]


class RetrainRequest(pydantic.BaseModel):
    """The body of `POST /retrain`; it may be absent."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    who: str = pydantic.Field(default="hand", min_length=1, max_length=100, pattern=r"^[^\x00]*$")


@dataclass(frozen=True)
class Receiver:
    """The endpoints.

    Attributes:
        brain: Decides.
        token: What `POST` requests must bring as `Authorization: Bearer`.
        ready: Whether alerts can be taken now.
    """

    brain: Brain
    token: str
    ready: Callable[[], bool]

    async def alerts(self, request: Request) -> Response:
        """`POST /alerts`: Alertmanager's webhook."""
        payload = _checked(Payload, await self._body(request))
        taken = [await self._stored(self.brain.take, alert.incoming()) for alert in payload.alerts]
        return _answer({"decisions": [_short(decision) for decision in taken]})

    async def retrain(self, request: Request) -> Response:
        """`POST /retrain`: a run by hand; 409 with the reason where the policy does not allow one."""
        asked = _checked(RetrainRequest, await self._body(request, empty=b"{}"))
        decision = await self._stored(self.brain.ask, asked.who)
        if decision.record.outcome != "accepted":
            raise Problem("suppressed", f"{decision.record.reason}: {decision.record.sentence}")
        return _answer(_short(decision), 202)

    async def status(self, _: Request) -> Response:
        """`GET /status`: champion, run, decisions."""
        return _answer(await self._stored(self.brain.status))

    async def live(self, _: Request) -> Response:
        """`GET /healthz`: the process answers."""
        return _answer({"status": "ok"})

    async def readiness(self, _: Request) -> Response:
        """`GET /readyz`: alerts can be stored and runs started."""
        if not self.ready():
            raise Problem("unavailable", "the loop is starting or stopping")
        return _answer({"status": "ready"})

    async def metrics(self, _: Request) -> Response:
        """`GET /metrics`: for Prometheus."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
        from starlette.responses import Response

        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _body(self, request: Request, empty: bytes | None = None) -> bytes:
        """The JSON body of a request that brings the token; who does not is told before the body is read."""
        if not accepted(request.headers.get("Authorization", ""), self.token):
            raise Problem(
                "unauthorized",
                "send the token of the loop's token file as `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": 'Bearer realm="tuneloop"'},
            )
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise Problem("too-large", f"a body may have {MOST_BYTES} bytes", headers={"Connection": "close"})
        if not body and empty is not None:
            return empty
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Problem("wrong-content-type", f"{kind or 'none'!r} is not application/json")
        return bytes(body)

    async def _stored(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Work on the records, in a thread."""
        from sqlalchemy.exc import SQLAlchemyError
        from starlette.concurrency import run_in_threadpool

        try:
            return await run_in_threadpool(work, *arguments)
        except SQLAlchemyError as error:
            logger.exception("the loop's records cannot be used")
            headers = {"Retry-After": "5"}
            raise Problem("unavailable", "the records cannot be used now; send it again", headers=headers) from error


def create_app(receiver: Receiver, page: Mount | None = None) -> Starlette:
    """The application.

    Args:
        receiver: The endpoints for machines.
        page: Those for people; `/` leads there.

    Raises:
        MissingExtraError: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtraError("the loop", "starlette", "loop") from error

    def route(path: str, endpoint: Endpoint, method: str) -> Route:
        return Route(path, endpoint, methods=[method])

    for_people = [] if page is None else [route("/", _to_page, "GET"), page]
    return Starlette(
        routes=[
            *for_people,
            route("/alerts", receiver.alerts, "POST"),
            route("/retrain", receiver.retrain, "POST"),
            route("/status", receiver.status, "GET"),
            route("/healthz", receiver.live, "GET"),
            route("/readyz", receiver.readiness, "GET"),
            route("/metrics", receiver.metrics, "GET"),
        ],
        exception_handlers={Problem: _on_problem, HTTPException: _on_http, Exception: _on_error},
    )


async def _to_page(_: Request) -> Response:
    from starlette.responses import RedirectResponse

    return RedirectResponse("/page/", 303)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _on_http(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths and wrong methods."""
    if getattr(error, "status_code", 500) == 405:
        headers = dict(getattr(error, "headers", None) or {})
        return Problem("wrong-method", f"{request.method} is not for {request.url.path}", headers=headers).response()
    paths = "/alerts, /retrain, /status, /healthz, /readyz, /metrics"
    return Problem("unknown-path", f"{request.url.path} is none of {paths}").response()


async def _on_error(_: Request, __: Exception) -> Response:
    return Problem("internal", "an unexpected error; the loop's log says more").response()


def _checked(model: type[pydantic.BaseModel], body: bytes) -> Any:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem("malformed-json", f"the body cannot be read: {error}") from error
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        where = ".".join(str(part) for part in first["loc"])
        raise Problem("invalid-request", f"{first['msg']}{more}", where) from error


def _short(decision: Decision) -> dict[str, Any]:
    record = as_json(decision.record)
    return {name: record[name] for name in ("key", "alert", "outcome", "reason", "sentence", "run")}


def _answer(content: Any, status: int = 200) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(content, status)

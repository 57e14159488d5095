"""The front: what stands before BentoML's own middleware, so that nothing a stranger sends leaves a trace there.

BentoML's metrics take the path as a label, so an unknown path would make a new time series; its errors are no JSON
problems. Here unknown paths, wrong methods, wrong content types and oversized bodies are turned away first.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from tuneloop.serving.doors.body import check_length
from tuneloop.serving.doors.generating.paths import CHAT, COMPLETIONS, MODELS
from tuneloop.serving.doors.problems import Problem
from tuneloop.serving.doors.refusals import count_refusal
from tuneloop.serving.engine import Engine
from tuneloop.serving.trust.auth import Guard

_GET = ("GET", "HEAD")
_JSON = ("application/json",)
_TENSORS = ("application/json", "application/octet-stream")
_STATIC = "/static_content/"


class Front:
    """An ASGI middleware around the whole application."""

    def __init__(self, app: Any, engine: Engine, guard: Guard | None = None, *, generates: bool = False) -> None:
        self._app, self._engine, self._guard = app, engine, guard
        fixed = ("/", "/docs.json", "/schema.json", "/livez", "/healthz", "/readyz", "/metrics")
        protocol = ("/v2", "/v2/health/live", "/v2/health/ready")
        self._paths: dict[str, tuple[str, ...]] = dict.fromkeys((*fixed, *protocol, *_static_files()), _GET)
        self._paths |= {"/predict": ("POST",), "/feedback": ("POST",)}
        if generates:
            place = f"/v2/models/{engine.model}"
            texts = (COMPLETIONS, CHAT, f"{place}/generate", f"{place}/generate_stream")
            self._paths |= dict.fromkeys(texts, ("POST",))
            self._paths |= dict.fromkeys((MODELS, f"{MODELS}/{engine.model}"), _GET)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except Problem as problem:
            count_refusal(self._engine.model, problem)
            await self._refuse(problem, scope, receive, send)
            return
        if scope["path"] == "/v2":
            # BentoML mounts an application below a path, and would redirect to its slash.
            scope = {**scope, "path": "/v2/"}
        await self._app(scope, receive, send)

    async def _refuse(self, problem: Problem, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer at once, and close the connection if a body is on its way that nobody will read."""
        headers = dict(scope["headers"])
        has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        if has_body:
            problem.headers["Connection"] = "close"
        # Clients of the protocol look for the reason under `error`.
        extra = {"error": problem.said} if scope["path"].startswith("/v2") else {}
        response = problem.response(**extra)
        if not has_body or b"expect" in headers:
            await response(scope, receive, send)
            return
        # Closing at once would break a connection that the client still writes to, before it reads the answer.
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        await self._engine.bodies.drain(receive)
        await send({"type": "http.response.body", "body": b""})

    def _check(self, scope: Mapping[str, Any]) -> None:
        path, method = scope["path"], scope["method"]
        if self._guard is not None:
            self._guard.check(path, scope["headers"])
        allowed = self._paths.get(path) or self._model_path(path)
        if allowed is None:
            raise Problem("unknown-path", "see / for what this server answers")
        if method not in allowed:
            raise Problem("wrong-method", f"{method[:20]} is not answered here", headers={"Allow": ", ".join(allowed)})
        if method != "POST":
            return
        headers = dict(scope["headers"])
        check_length(headers.get(b"content-length"))
        _check_type(headers, _TENSORS if path.endswith("/infer") else _JSON)

    def _model_path(self, path: str) -> tuple[str, ...] | None:
        """The methods of a path under `/v2/models`.

        Raises:
            Problem: It names a model or version that is not live.
        """
        if not path.startswith("/v2/models/"):
            return None
        name, *rest = path.removeprefix("/v2/models/").split("/")
        if name != self._engine.model:
            raise Problem("unknown-model", f"the model {name[:80]!r} is not served here; served: {self._engine.model}")
        if len(rest) >= 2 and rest[0] == "versions":
            live = self._engine.live.version if self._engine.ready else "none"
            if rest[1] != live:
                raise Problem("unknown-model", f"version {rest[1][:80]!r} is not live; live: {live}")
            rest = rest[2:]
        if rest in ([], ["ready"], ["config"]):
            return _GET
        return ("POST",) if rest == ["infer"] else None


def _check_type(headers: Mapping[bytes, bytes], known: tuple[str, ...]) -> None:
    given = headers.get(b"content-type", b"application/json").decode("latin-1")
    if given.partition(";")[0].strip().lower() not in known:
        raise Problem("wrong-content-type", f"{given[:80]!r} is not understood; send {known[0]}")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Problem("wrong-content-type", "compressed bodies are not understood")


def _static_files() -> tuple[str, ...]:
    """The files of BentoML's OpenAPI page: only these, as each path is a time series."""
    import bentoml

    folder = Path(bentoml.__file__).parent / "_internal" / "server" / "static_content"
    return tuple(_STATIC + path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

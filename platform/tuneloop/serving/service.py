"""The BentoML service of one artifact: the typed door, the raw door, and the life of a worker."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tuneloop.api import MissingExtraError, Task
from tuneloop.artifact import MANIFEST, Manifest
from tuneloop.serving.body import list_of, parse_object, read_body
from tuneloop.serving.engine import Engine
from tuneloop.serving.examples import read_examples
from tuneloop.serving.front import Front
from tuneloop.serving.loader import load_version, serving_plugins
from tuneloop.serving.openapi import Document, make_document
from tuneloop.serving.problems import Problem, as_problem
from tuneloop.serving.protocol import ProtocolDoor
from tuneloop.serving.refusals import count_refusal
from tuneloop.serving.schemas import FeedbackItem, Schemas, make_schemas
from tuneloop.serving.watcher import ChannelWatcher

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 60
"""BentoML's own limit; the engine's deadline comes first and is answered with a problem."""


@dataclass(frozen=True)
class Settings:
    """How a worker runs; from its environment.

    Attributes:
        channel: Path or URL of the channel file; None: the artifact in the Bento for ever.
        store_url: SQLAlchemy URL of the prediction store; None: no store.
        workers: Worker processes.
        threads: Threads of a worker that compute at the same time.
    """

    channel: str | None = None
    store_url: str | None = None
    workers: int = 1
    threads: int = 2

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read `TUNELOOP_CHANNEL`, `TUNELOOP_STORE_URL`, `TUNELOOP_WORKERS` and `TUNELOOP_THREADS`."""
        return cls(
            channel=environment.get("TUNELOOP_CHANNEL") or None,
            store_url=environment.get("TUNELOOP_STORE_URL") or None,
            workers=max(1, int(environment.get("TUNELOOP_WORKERS") or 1)),
            threads=max(1, int(environment.get("TUNELOOP_THREADS") or 2)),
        )


class Worker:
    """What lives in one worker process: the engine, and the task that follows the channel."""

    def __init__(self, folder: Path, version: str, model: str, settings: Settings) -> None:
        self._folder, self._version, self._settings = folder, version, settings
        self.engine = Engine(model, threads=settings.threads, store_url=settings.store_url)
        self._following: asyncio.Task[None] | None = None
        self._cache: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        """Load the version to serve; the one in the Bento where the channel names none that may serve."""
        loaded = None
        watcher = None
        if self._settings.channel is not None:
            self._cache = tempfile.TemporaryDirectory(prefix="tuneloop-artifacts-")
            watcher = ChannelWatcher(self._settings.channel, self.engine, Path(self._cache.name))
            loaded = await watcher.first()
        if loaded is None:
            own = functools.partial(load_version, self._folder, self._version, model=self.engine.model)
            loaded = await asyncio.to_thread(own)
        await self.engine.start(loaded)
        if watcher is not None:
            self._following = asyncio.create_task(watcher.run())

    async def stop(self) -> None:
        """Finish what is under way; flush counters and store."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        await self.engine.stop()
        if self._cache is not None:
            self._cache.cleanup()


def create_service(folder: Path, version: str, *, module: str) -> Any:
    """The BentoML service of an artifact.

    Args:
        folder: The artifact folder.
        version: Its number in the registry.
        module: `__name__` of the module that keeps the result in a variable, where BentoML looks for it.

    Raises:
        MissingExtraError: BentoML is not installed.
        VersionRefusedError: A plugin the artifact needs is missing.
    """
    try:
        import bentoml
        from _bentoml_sdk import Service  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("serving", "bentoml", "serve") from error
    settings = Settings.from_environment()
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    worker = Worker(folder, version, manifest.model, settings)
    rows, answers = read_examples(folder)
    schemas = make_schemas(manifest.signature.columns, _task(manifest), rows, answers, manifest.model, version)
    document = make_document(manifest.model, version, schemas)

    class TuneloopService(Service):  # type: ignore[misc]
        """Puts the front before BentoML's middleware, and shows the model's own OpenAPI page."""

        def to_asgi(self, is_main: bool = True) -> Any:
            return Front(super().to_asgi(is_main), worker.engine)

        @property
        def openapi_spec(self) -> Document:
            return document

    service = bentoml.service(
        name=manifest.model,
        image=bentoml.images.Image(lock_python_packages=False).build_include("wheels"),
        service_class=TuneloopService,
        labels={"model": manifest.model, "version": version},
        workers=settings.workers,
        threads=settings.threads,
        traffic={"timeout": TIMEOUT_SECONDS},
        tracing={"excluded_urls": ".*"},
        logging={"access": {"enabled": False}},
    )(_inner(worker, schemas))
    service._caller_module = module
    service.mount_asgi_app(ProtocolDoor(worker.engine), path="/v2", name="open-inference-protocol")
    return service


def _task(manifest: Manifest) -> Task:
    plugins = serving_plugins(manifest.plugins)
    task = plugins.get("task", manifest.task.name)
    return task.from_state(manifest.task.state)


def _inner(worker: Worker, schemas: Schemas) -> type:
    """The class BentoML serves."""
    import bentoml

    engine = worker.engine
    predict_input, feedback_input = _raw_input(schemas.predict_request), _raw_input(schemas.feedback_request)

    async def start(_: Any) -> None:
        await worker.start()

    async def stop(_: Any) -> None:
        await worker.stop()

    async def is_ready(_: Any) -> bool:
        return engine.ready

    async def predict(_: Any, request: Any) -> Any:
        """Answer rows, in order."""
        return await _answered(engine, _predict(engine, request))

    async def feedback(_: Any, request: Any) -> Any:
        """Take labels by prediction id."""
        return await _answered(engine, _feedback(engine, request))

    predict_door = bentoml.api(route="/predict", input_spec=predict_input, output_spec=schemas.predict_response)
    feedback_door = bentoml.api(route="/feedback", input_spec=feedback_input, output_spec=schemas.feedback_response)
    members = {
        "start": bentoml.on_startup(start),
        "stop": bentoml.on_shutdown(stop),
        "__is_ready__": is_ready,
        "predict": predict_door(predict),
        "feedback": feedback_door(feedback),
    }
    return type("Doors", (), members)


class _Whole:
    """Hands a method the untouched request under the name `request`."""

    model_fields = ("request",)

    def __init__(self, request: Any) -> None:
        self.request = request


def _raw_input(model: Any) -> Any:
    """The model as BentoML's input descriptor, for its schema and its clients; the server parses the body itself.

    BentoML would parse it into pydantic objects, at several times the cost and with refusals that are no problems.
    """
    from _bentoml_sdk.io_models import IODescriptor  # type: ignore[import-untyped]

    class Raw(IODescriptor, model):  # type: ignore[misc]
        @classmethod
        async def from_http_request(cls, request: Any, serde: Any) -> Any:  # noqa: ARG003
            return _Whole(request)

    Raw.__name__ = Raw.__qualname__ = model.__name__
    return Raw


async def _answered(engine: Engine, work: Any) -> Any:
    """The answer, or the problem, as a response."""
    from starlette.responses import Response

    try:
        return Response(await work, media_type="application/json")
    except Exception as error:
        problem = as_problem(error)
        if problem.kind == "internal":
            logger.exception("a request failed")
        count_refusal(engine.model, problem)
        return problem.response()


async def _predict(engine: Engine, request: Any) -> bytes:
    body = await read_body(request.receive)
    rows = list_of(parse_object(body, ("rows",)), "rows", "rows")
    answered = await engine.predict(rows, len(body))
    predictions = [{"id": i, **answer} for i, answer in zip(answered.ids, answered.answers, strict=True)]
    return orjson.dumps({"model": engine.model, "version": answered.version, "predictions": predictions})


async def _feedback(engine: Engine, request: Any) -> bytes:
    items = list_of(parse_object(await read_body(request.receive), ("items",)), "items", "items")
    known = FeedbackItem.model_fields.keys()
    for position, item in enumerate(items):
        if not isinstance(item, dict):
            raise Problem("invalid-request", "an item is an object with: id, label", row=position)
        for key in (*known, *item):
            if key not in item:
                raise Problem("invalid-request", "is absent; an item has: id, label", key, position)
            if key not in known:
                raise Problem("invalid-request", "is not known here; an item has: id, label", key[:80], position)
    results = await engine.label([(item["id"], item["label"]) for item in items])
    states = [result.status for result in results]
    joined = [r for r in results if r.status in ("new", "changed")]
    return orjson.dumps(
        {
            "stored": len(joined) + states.count("orphaned"),
            "joined": len(joined),
            "orphaned": states.count("orphaned"),
            "changed": states.count("changed"),
            "unchanged": states.count("same"),
            "refused": [
                {"item": position, "id": result.id, "reason": result.reason}
                for position, result in enumerate(results)
                if result.status == "refused"
            ],
        }
    )

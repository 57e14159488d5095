"""The BentoML service of one artifact: the typed door, the raw door, and the life of a worker."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import os
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from tuneloop.api import MissingExtraError, Task
from tuneloop.artifact import MANIFEST, PREPROCESSOR, Manifest
from tuneloop.monitoring.store_policy import POLICY_FILE, POLICY_VARIABLE, StorePolicy, key_from_environment
from tuneloop.preprocessing.writing import WritingPreprocessor
from tuneloop.serving.device import Device, read_device
from tuneloop.serving.doors.body import list_of, parse_object
from tuneloop.serving.doors.direct import Direct, Door
from tuneloop.serving.doors.drain import Drain, Draining
from tuneloop.serving.doors.feedback import take_feedback
from tuneloop.serving.doors.front import Front
from tuneloop.serving.doors.generating.asked import object_of, read_options
from tuneloop.serving.doors.generating.door import GeneratingDoor
from tuneloop.serving.doors.generating.events import while_there
from tuneloop.serving.doors.generating.openapi import add_generating
from tuneloop.serving.doors.openapi import Document, make_document
from tuneloop.serving.doors.problems import as_problem
from tuneloop.serving.doors.protocol import ProtocolDoor
from tuneloop.serving.doors.refusals import count_refusal
from tuneloop.serving.doors.schemas import Schemas, make_schemas
from tuneloop.serving.engine import NO_STORE, Engine
from tuneloop.serving.limits import DEFAULT_LIMITS, Limits
from tuneloop.serving.loader import load_version, serving_plugins
from tuneloop.serving.packaging.image import make_image
from tuneloop.serving.packaging.lock import BuildDevice
from tuneloop.serving.storing import StoreSettings
from tuneloop.serving.supervise import end_with_supervisor, failing_slowly, look_closely
from tuneloop.serving.trust.access import Access
from tuneloop.serving.trust.auth import secure_document
from tuneloop.serving.trust.exposure import default_host
from tuneloop.serving.trust.signature import Verifier
from tuneloop.serving.versions.examples import read_examples
from tuneloop.serving.versions.split import key_of
from tuneloop.serving.versions.watcher import ChannelWatcher
from tuneloop.serving.wishes import shown, wishes_of

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 60
"""BentoML's own limit; the engine's deadline comes first and is answered with a problem."""


@dataclass(frozen=True)
class Settings:
    """How a worker runs; from its environment.

    Attributes:
        channel: Path or URL of the channel file; None: the artifact in the Bento for ever.
        store: Where answers are stored, and what of them.
        workers: Worker processes.
        threads: Threads of a worker that compute at the same time.
        limits: What clients may ask of it.
        device: Where the model runs; None: as its Bento was built.
    """

    channel: str | None = None
    store: StoreSettings = NO_STORE
    workers: int = 1
    threads: int = 2
    limits: Limits = DEFAULT_LIMITS
    device: Device | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, policy_file: Path | None = None) -> Settings:
        """Read `TUNELOOP_CHANNEL`, `..._STORE_URL`, `..._WORKERS`, `..._THREADS`, `..._DEVICE`, limits, what to store.

        Args:
            environment: Variables.
            policy_file: Says what to store where no variable does; it need not be there.

        Raises:
            ServingError: The policy or the key cannot be used.
        """
        policy = _policy(environment, policy_file)
        url = environment.get("TUNELOOP_STORE_URL") or None
        return cls(
            channel=environment.get("TUNELOOP_CHANNEL") or None,
            store=StoreSettings(url, policy, key_from_environment(policy, environment) if url else b""),
            workers=max(1, int(environment.get("TUNELOOP_WORKERS") or 1)),
            threads=max(1, int(environment.get("TUNELOOP_THREADS") or 2)),
            limits=Limits.from_environment(environment),
            device=read_device(environment) if environment.get("TUNELOOP_DEVICE") else None,
        )


def _policy(environment: Mapping[str, str], file: Path | None) -> StorePolicy:
    if file is None or environment.get(POLICY_VARIABLE) or not file.is_file():
        return StorePolicy.from_environment(environment)
    return StorePolicy.from_json(file.read_text(encoding="utf-8"), str(file))


class Worker:
    """What lives in one worker process: the engine, and the task that follows the channel."""

    def __init__(
        self,
        folder: Path,
        version: str,
        model: str,
        settings: Settings,
        *,
        device: Device = "cpu",
        verifier: Verifier | None = None,
    ) -> None:
        self._folder, self._version, self._settings = folder, version, settings
        self._device, self._verifier = device, verifier
        self.engine = Engine(model, threads=settings.threads, store=settings.store, limits=settings.limits)
        self.drain = Drain.from_environment()
        self._following: asyncio.Task[None] | None = None
        self._cache: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        """Load the version to serve; the one in the Bento where the channel names none that may serve."""
        loaded = None
        watcher = None
        if self._settings.channel is not None:
            self._cache = tempfile.TemporaryDirectory(prefix="tuneloop-artifacts-")
            watcher = ChannelWatcher(
                self._settings.channel,
                self.engine,
                Path(self._cache.name),
                device=self._device,
                verifier=self._verifier,
            )
            loaded = await watcher.first()
        if loaded is None:
            own = functools.partial(
                load_version, self._folder, self._version, model=self.engine.model, device=self._device
            )
            loaded = await asyncio.to_thread(own)
        await self.engine.start(loaded)
        if watcher is not None:
            # The challenger is there before the first request, so that a restart moves no key to the champion.
            await watcher.look()
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


def create_service(folder: Path, version: str, *, module: str, built_for: BuildDevice = "cpu") -> Any:
    """The BentoML service of an artifact.

    Args:
        folder: The artifact folder.
        version: Its number in the registry.
        module: `__name__` of the module that keeps the result in a variable, where BentoML looks for it.
        built_for: The device that the Bento's requirements are for.

    Raises:
        MissingExtraError: BentoML is not installed.
        VersionRefusedError: A plugin the artifact needs is missing.
        ServingError: What guards the server is not as it must be; see `Access`.
        SignatureError: The Bento must be signed, and is not as it was signed.
    """
    try:
        import bentoml
        from _bentoml_sdk import Service  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("serving", "bentoml", "serve") from error
    end_with_supervisor()
    settings = Settings.from_environment(policy_file=folder.parent / POLICY_FILE)
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    access = Access.from_environment()
    if access.verifier is not None:
        access.verifier.check_bento(folder.parent.parent, model=manifest.model, version=version)
    device: Device = settings.device or ("gpu" if built_for == "gpu" else "auto")
    worker = Worker(folder, version, manifest.model, settings, device=device, verifier=access.verifier)
    rows, answers = read_examples(folder)
    task = _task(manifest)
    generates = task.loss == "likelihood"
    # A sound is no text: models that write from one have the typed door and the protocol's tensors.
    from_text = generates and manifest.signature.columns[0].kind in ("text", "prompt")
    schemas = make_schemas(manifest.signature.columns, task, rows, answers, manifest.model, version)
    document = make_document(manifest.model, version, schemas)
    if from_text:
        add_generating(document, manifest.model, chat=_chats(manifest, folder))
    if access.guard is not None:
        secure_document(document)
    texts = GeneratingDoor(worker.engine)
    protocol = ProtocolDoor(worker.engine, texts if from_text else None)

    class TuneloopService(Service):  # type: ignore[misc]
        """Puts the front before BentoML's middleware, and shows the model's own OpenAPI page."""

        def to_asgi(self, is_main: bool = True) -> Any:
            from tuneloop.serving.doors.connection import limit_connections

            limit_connections(manifest.model, settings.limits)
            doors: dict[str, Door] = {
                "/predict": _typed_door(worker.engine, generates=generates),
                f"/v2/models/{manifest.model}/infer": protocol,
                **(dict.fromkeys(texts.paths(), texts) if from_text else {}),
            }
            app = Direct(super().to_asgi(is_main), doors)
            front = Front(app, worker.engine, access.guard, generates=from_text)
            return Draining(front, worker.drain, manifest.model)

        @property
        def openapi_spec(self) -> Document:
            return document

    service = bentoml.service(
        name=manifest.model,
        image=make_image(built_for),
        service_class=TuneloopService,
        labels={"model": manifest.model, "version": version},
        workers=settings.workers,
        threads=settings.threads,
        http={"host": default_host()},
        traffic={"timeout": TIMEOUT_SECONDS},
        tracing={"excluded_urls": ".*"},
        logging={"access": {"enabled": False}},
    )(_inner(worker, schemas, generates=generates))
    service._caller_module = module
    service.mount_asgi_app(protocol, path="/v2", name="open-inference-protocol")
    if from_text:
        service.mount_asgi_app(texts, path="/v1", name="openai")
    return service


def _task(manifest: Manifest) -> Task:
    plugins = serving_plugins(manifest.plugins)
    task = plugins.get("task", manifest.task.name)
    return task.from_state(manifest.task.state)


def _chats(manifest: Manifest, folder: Path) -> bool:
    """Whether the artifact's tokenizer has a chat template."""
    preprocessor = serving_plugins(manifest.plugins).get("preprocessor", manifest.preprocessor)
    written = preprocessor.load(folder / PREPROCESSOR)
    return isinstance(written, WritingPreprocessor) and written.settings.chat_template is not None


def _inner(worker: Worker, schemas: Schemas, *, generates: bool) -> type:
    """The class BentoML serves."""
    import bentoml

    engine = worker.engine
    predict_input, feedback_input = _raw_input(schemas.predict_request), _raw_input(schemas.feedback_request)

    async def start(_: Any) -> None:
        async with failing_slowly():
            # Libraries stay as long as the worker: the garbage collector need not look at them again and again.
            gc.collect()
            gc.freeze()
            await worker.start()
        worker.drain.listen()

    async def stop(_: Any) -> None:
        await worker.stop()

    async def is_ready(_: Any) -> bool:
        return engine.ready

    async def predict(_: Any, request: Any) -> Any:
        """Answer rows, in order."""
        return await _answered(engine, _predict(engine, request, generates=generates))

    async def feedback(_: Any, request: Any) -> Any:
        """Take labels by prediction id."""
        return await _answered(engine, take_feedback(engine, request.receive))

    predict_door = bentoml.api(route="/predict", input_spec=predict_input, output_spec=schemas.predict_response)
    feedback_door = bentoml.api(route="/feedback", input_spec=feedback_input, output_spec=schemas.feedback_response)
    members = {
        "start": bentoml.on_startup(start),
        "stop": bentoml.on_shutdown(stop),
        "supervise": bentoml.on_deployment(look_closely),
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


def _typed_door(engine: Engine, *, generates: bool) -> Door:
    """`/predict` as an application of its own, for the short way."""
    from starlette.requests import Request

    async def door(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        response = await _answered(engine, _predict(engine, Request(scope, receive), generates=generates))
        await response(scope, receive, send)

    return door


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


async def _predict(engine: Engine, request: Any, *, generates: bool) -> bytes:
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

"""The BentoML service of one artifact: its doors, and what BentoML starts, asks and stops."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any

from tuneloop.api import MissingExtraError, Task
from tuneloop.artifact import MANIFEST, PREPROCESSOR, Manifest
from tuneloop.monitoring.store_policy import POLICY_FILE
from tuneloop.preprocessing.writing import WritingPreprocessor
from tuneloop.serving.device import Device
from tuneloop.serving.doors.direct import Direct, Door
from tuneloop.serving.doors.drain import Draining
from tuneloop.serving.doors.feedback import take_feedback
from tuneloop.serving.doors.front import Front
from tuneloop.serving.doors.generating.door import GeneratingDoor
from tuneloop.serving.doors.generating.openapi import add_generating
from tuneloop.serving.doors.openapi import Document, make_document
from tuneloop.serving.doors.protocol import ProtocolDoor
from tuneloop.serving.doors.schemas import Schemas, make_schemas
from tuneloop.serving.doors.typed import predict_rows, respond, typed_door
from tuneloop.serving.loader import serving_plugins
from tuneloop.serving.packaging.image import make_image
from tuneloop.serving.packaging.lock import BuildDevice
from tuneloop.serving.settings import Settings
from tuneloop.serving.supervise import end_with_supervisor, failing_slowly, look_closely
from tuneloop.serving.trust.access import Access
from tuneloop.serving.trust.auth import secure_document
from tuneloop.serving.trust.exposure import default_host
from tuneloop.serving.versions.examples import read_examples
from tuneloop.serving.worker import Worker

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 60
"""BentoML's own limit; the engine's deadline comes first and is answered with a problem."""


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
                "/predict": typed_door(worker.engine, generates=generates),
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
        return await respond(engine, predict_rows(engine, request, generates=generates))

    async def feedback(_: Any, request: Any) -> Any:
        """Take labels by prediction id."""
        return await respond(engine, take_feedback(engine, request.receive))

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

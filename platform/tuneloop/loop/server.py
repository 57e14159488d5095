"""`tuneloop loop` at work: lock, records, durable workflows, receiver, and the task that decides anew."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import MissingExtraError, TuneloopError
from tuneloop.config import PROJECT_FILE
from tuneloop.loop.brain import Brain
from tuneloop.loop.decisions import Decisions
from tuneloop.loop.evidence import EvidenceReader
from tuneloop.loop.lock import only_loop
from tuneloop.loop.pages import page_reader
from tuneloop.loop.receiver import Receiver, create_app
from tuneloop.loop.records import Database, RunOutcome, database_url
from tuneloop.loop.retrain import Retraining, begin, close_retraining, open_retraining, workflow
from tuneloop.loop.rollout import Rollout
from tuneloop.loop.token import read_token
from tuneloop.loop.training import Training
from tuneloop.loop.watch import Watch, watching
from tuneloop.monitoring.metrics import loop_metrics
from tuneloop.monitoring.store import PredictionStore
from tuneloop.pipeline.durable import launched
from tuneloop.serving.server import default_store_url

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104
_FINISH_SECONDS = 5


@dataclass(frozen=True)
class LoopSettings:
    """How a loop listens and how patient it is.

    Attributes:
        port: 0 takes a free one.
        host: Address to listen on.
        server_url: The server whose workers must take a new version; None: that of the project.
        token_file: None: `loop.token` in the project's state.
        tick: Seconds between two looks at alerts that wait.
        rollout: Seconds until every worker must answer with a new version.
        watch: Also watch the server, and have its alerts posted here.
        ready: Told the address once alerts are taken, and what watches the server (None: nothing of ours).
        stopping: Ends the loop when set; set by SIGTERM and SIGINT.
    """

    port: int
    server_url: str | None = None
    token_file: Path | None = None
    tick: float = 2.0
    rollout: float = 120.0
    watch: bool = False
    ready: Callable[[str, Watch | None], object] = lambda _, __: None
    stopping: threading.Event = field(default_factory=threading.Event)
    host: str = HOST

    def url(self, listener: socket.socket) -> str:
        """The loop's address, as this machine reaches it."""
        host = HOST if self.host in _ANYWHERE else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{listener.getsockname()[1]}"


def token_path(project: Project) -> Path:
    """Where the loop of a project keeps its token."""
    return project.state / "loop.token"


def serve_loop(project: Project, plugins: PluginManager, settings: LoopSettings) -> None:
    """Take alerts until SIGTERM or SIGINT. A training at work then ends, and goes on at the next start.

    Raises:
        TuneloopError: Another loop of this project runs, the port is taken, or records cannot be opened.
    """
    try:
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the loop", "uvicorn", "loop") from error
    token = read_token(settings.token_file or token_path(project))
    with (
        only_loop(project.state / "loop.lock"),
        _bound(settings.host, settings.port) as listener,
        _brain(project, plugins, settings) as brain,
        _watch(project, listener, settings) as watch,
    ):
        receiver = Receiver(brain, token, ready=lambda: not settings.stopping.is_set())
        asyncio.run(_serve(receiver, listener, settings, watch))


@contextmanager
def _watch(project: Project, listener: socket.socket, settings: LoopSettings) -> Iterator[Watch | None]:
    if not settings.watch:
        yield None
        return
    # The port is bound already: an alert that is posted before the receiver runs waits in its backlog.
    url = settings.url(listener)
    target = f"{_server_url(project, settings)}/metrics"
    with watching(project, [target], url, settings.token_file or token_path(project)) as watch:
        yield watch


@contextmanager
def _brain(project: Project, plugins: PluginManager, settings: LoopSettings) -> Iterator[Brain]:
    """Everything behind the receiver, opened; DBOS goes on with what was cut off."""
    stopping, metrics = settings.stopping, loop_metrics()
    database = Database(database_url(project.state), project.name)
    store = PredictionStore(default_store_url(project.state))
    decisions, evidence = Decisions(database, time.time), EvidenceReader(store, project.name)

    def ended(outcome: RunOutcome, seconds: float) -> None:
        metrics.runs.labels(project.name, outcome).inc()
        metrics.run_seconds.labels(project.name).observe(seconds)

    retraining = Retraining(
        project=project,
        plugins=plugins,
        decisions=decisions,
        evidence=evidence,
        training=Training(project.root / PROJECT_FILE, project.state, stopping),
        rollout=Rollout(
            _server_url(project, settings),
            project.name,
            deadline=settings.rollout,
            stopping=stopping,
            fetch=page_reader(),
        ),
        ended=ended,
        stopping=stopping,
    )
    brain = Brain(project, plugins, decisions, evidence, metrics, partial(begin, str(project.root)), time.time)
    open_retraining(retraining)
    try:
        # A folder of its own: the runs' database is written by the training process.
        with launched(project.state / "loop", f"loop-{project.name}", workflow):
            yield brain
            stopping.set()
            retraining.settle()
    finally:
        stopping.set()
        close_retraining(retraining)
        store.close()
        database.close()


async def _serve(receiver: Receiver, listener: socket.socket, settings: LoopSettings, watch: Watch | None) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves signals to us: uvicorn raises them again when it is done, and so before we are."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            settings.ready(settings.url(listener), watch)

    config = uvicorn.Config(
        create_app(receiver),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )
    server = Server(config)
    events = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Not in a thread of tests, where signals cannot be caught.
        with contextlib.suppress(ValueError, RuntimeError):
            events.add_signal_handler(number, settings.stopping.set)
    clockwork = asyncio.create_task(_clockwork(receiver.brain, server, settings))
    await server.serve(sockets=[listener])
    settings.stopping.set()
    await clockwork


async def _clockwork(brain: Brain, server: object, settings: LoopSettings) -> None:
    """Decide anew again and again, and end the server when it is time."""
    due = 0.0
    while not settings.stopping.is_set():
        if time.monotonic() >= due:
            try:
                await asyncio.to_thread(brain.tick)
            except Exception:
                logger.exception("the loop goes on after a failed look")
            due = time.monotonic() + settings.tick
        await asyncio.sleep(min(0.1, settings.tick))
    server.should_exit = True  # type: ignore[attr-defined]


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise TuneloopError(
            f"port {port} of {host} cannot be used: {error.strerror or error}. Choose another: "
            "`tuneloop loop --port PORT`, or `retrain.port` in the project."
        ) from error
    with listener:
        yield listener


def _server_url(project: Project, settings: LoopSettings) -> str:
    return (settings.server_url or f"http://{project.serve.host}:{project.serve.port}").rstrip("/")

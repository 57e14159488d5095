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
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import MissingExtraError, TuneloopError
from tuneloop.config import PROJECT_FILE
from tuneloop.loop.address import announced
from tuneloop.loop.brain import Brain
from tuneloop.loop.deciding.decisions import Decisions
from tuneloop.loop.deciding.doubts import doubted
from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.deciding.schedule import Schedule, due
from tuneloop.loop.leader import Leadership, lead
from tuneloop.loop.lock import only_loop
from tuneloop.loop.outcomes import Judge, OutcomeReader
from tuneloop.loop.pages import page_reader
from tuneloop.loop.receiver import Receiver, create_app
from tuneloop.loop.records import Database, RunOutcome, database_url
from tuneloop.loop.retrain import Retraining, begin, close_retraining, open_retraining, workflow
from tuneloop.loop.rollout import Rollout
from tuneloop.loop.servers import resolve
from tuneloop.loop.stages import Stages
from tuneloop.loop.standby import standing_by
from tuneloop.loop.token import read_token
from tuneloop.loop.training import Training
from tuneloop.loop.watch import Watch, watching
from tuneloop.loop.web.routes import page_mount
from tuneloop.loop.web.site import opened_site
from tuneloop.monitoring.metrics import loop_metrics
from tuneloop.monitoring.postgres import is_postgres
from tuneloop.monitoring.store import PredictionStore
from tuneloop.pipeline.runs.durable import launched
from tuneloop.serving.server import default_store_url

if TYPE_CHECKING:
    from starlette.applications import Starlette

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
        server_url: The server whose workers must take a new version, or several; None: that of the project.
        token_file: None: `loop.token` in the project's state.
        tick: Seconds between two looks at alerts that wait.
        rollout: Seconds until every worker must answer with a new version.
        watch: Also watch the server, and have its alerts posted here.
        ready: Told the address once alerts are taken, and what watches the server (None: nothing of ours).
        stopping: Ends the loop when set; set by SIGTERM and SIGINT.
        waits: Told the address while another loop leads.
        ask: What SIGTERM and SIGINT do, where setting `stopping` is not enough.
        page_hosts: Names that browsers reach the page by, besides `localhost`, this machine's name and addresses.
        prometheus: Address of a Prometheus that watches the servers, for the page's curves; empty: the one of `watch`,
            or none.
    """

    port: int
    server_url: str | tuple[str, ...] | None = None
    token_file: Path | None = None
    tick: float = 2.0
    rollout: float = 120.0
    watch: bool = False
    ready: Callable[[str, Watch | None], object] = lambda _, __: None
    stopping: threading.Event = field(default_factory=threading.Event)
    host: str = HOST
    waits: Callable[[str], object] = lambda _: None
    ask: Callable[[], object] | None = None
    page_hosts: tuple[str, ...] = ()
    prometheus: str = ""

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
    with only_loop(project.state / "loop.lock"), _bound(settings.host, settings.port) as listener:
        url = database_url(project.state)
        if not is_postgres(url):
            _lead(project, plugins, settings, listener, token)
            return

        def work(over: threading.Event) -> None:
            def ask() -> None:
                settings.stopping.set()
                over.set()

            _lead(project, plugins, replace(settings, stopping=over, ask=ask), listener, token)

        @contextmanager
        def waiting() -> Iterator[None]:
            settings.waits(settings.url(listener))
            with standing_by(listener):
                yield

        lead(Leadership(url, project.name), settings.stopping, work, waiting)


def _lead(
    project: Project, plugins: PluginManager, settings: LoopSettings, listener: socket.socket, token: str
) -> None:
    """Be the one loop of the project until `settings.stopping`."""
    with (
        _brain(project, plugins, settings) as brain,
        _watch(project, listener, settings) as watch,
        opened_site(brain, token, _prometheus(settings, watch)) as site,
        announced(project.state, settings.url(listener)),
    ):
        receiver = Receiver(brain, token, ready=lambda: not settings.stopping.is_set())
        app = create_app(receiver, page_mount(site, settings.page_hosts))
        asyncio.run(_serve(receiver, app, listener, settings, watch))


@contextmanager
def _watch(project: Project, listener: socket.socket, settings: LoopSettings) -> Iterator[Watch | None]:
    if not settings.watch:
        yield None
        return
    # The port is bound already: an alert that is posted before the receiver runs waits in its backlog.
    url = settings.url(listener)
    targets = [f"{one}/metrics" for server in _servers(project, settings) for one in resolve(server)]
    with watching(project, targets, url, settings.token_file or token_path(project)) as watch:
        yield watch


@contextmanager
def _brain(project: Project, plugins: PluginManager, settings: LoopSettings) -> Iterator[Brain]:
    """Everything behind the receiver, opened; DBOS goes on with what was cut off."""
    stopping, metrics = settings.stopping, loop_metrics()
    database = Database(database_url(project.state), project.name)
    store = PredictionStore(default_store_url(project.state))
    decisions, evidence = Decisions(database, time.time), EvidenceReader(store, project.name, partial(doubted, project))

    def ended(outcome: RunOutcome, seconds: float, cause: str) -> None:
        metrics.runs.labels(project.name, outcome).inc()
        metrics.run_seconds.labels(project.name).observe(seconds)
        if outcome == "rolled-back":
            metrics.rollbacks.labels(project.name, cause).inc()

    retraining = Retraining(
        project=project,
        plugins=plugins,
        decisions=decisions,
        stages=Stages(database, time.time),
        evidence=evidence,
        training=Training(project.root / PROJECT_FILE, project.state, stopping),
        rollout=Rollout(
            _servers(project, settings),
            project.name,
            deadline=settings.rollout,
            stopping=stopping,
            fetch=page_reader(),
        ),
        ended=ended,
        stage_ended=lambda stage, seconds: metrics.stage_seconds.labels(project.name, stage).observe(seconds),
        stopping=stopping,
    )
    outcomes = OutcomeReader(store, project, plugins, Judge(project, plugins), tick=settings.tick)
    brain = Brain(
        project,
        plugins,
        decisions,
        evidence,
        metrics,
        partial(begin, project.name),
        time.time,
        detectors=outcomes.status,
        due=_due(project, database),
    )
    open_retraining(retraining)
    try:
        # A folder of its own: the runs' database is written by the training process.
        with launched(project.state / "loop", f"loop-{project.name}", workflow), outcomes:
            yield brain
            stopping.set()
            retraining.settle()
    finally:
        stopping.set()
        close_retraining(retraining)
        store.close()
        database.close()


async def _serve(
    receiver: Receiver, app: Starlette, listener: socket.socket, settings: LoopSettings, watch: Watch | None
) -> None:
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
        app,
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
            events.add_signal_handler(number, settings.ask or settings.stopping.set)
    clockwork = asyncio.create_task(_clockwork(receiver.brain, server, settings))
    # It closes what it is given, and this loop may lead again.
    await server.serve(sockets=[listener.dup()])
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


def _due(project: Project, database: Database) -> Callable[[float], float | None]:
    """What tells the time of the schedule that has come last."""
    schedule = Schedule.of(project.retrain)
    return (lambda _: None) if schedule is None else partial(due, database, schedule)


def _servers(project: Project, settings: LoopSettings) -> tuple[str, ...]:
    given = settings.server_url or f"http://{project.serve.host}:{project.serve.port}"
    return tuple(dict.fromkeys(url.rstrip("/") for url in ((given,) if isinstance(given, str) else given)))


def _prometheus(settings: LoopSettings, watch: Watch | None) -> str:
    """Where the page's curves come from; empty: from the store."""
    return settings.prometheus or ("" if watch is None else watch.pages.get("Prometheus", ""))

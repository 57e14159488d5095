"""What the page works with: the loop's brain, records of its own, and figures that are kept for some seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import ServingError, TuneloopError
from tuneloop.loop.brain import Brain
from tuneloop.loop.records import Database, database_url
from tuneloop.loop.web.attempts import Attempts
from tuneloop.loop.web.curves import SPANS, Asked, Curves, step_of
from tuneloop.loop.web.fresh import Fresh
from tuneloop.loop.web.from_prometheus import read_prometheus
from tuneloop.loop.web.from_store import read_store
from tuneloop.loop.web.session import Keys
from tuneloop.monitoring.store import PredictionStore
from tuneloop.pipeline.promoting.promotion import channel_path, current_channel
from tuneloop.registry import Move, Registry, Version
from tuneloop.serving.server import default_store_url
from tuneloop.serving.versions.channel import Channel, artifact_place

if TYPE_CHECKING:
    from tuneloop.config import Project

_VERSION_SECONDS, _CURVE_SECONDS = 3.0, 15.0


@dataclass(frozen=True, slots=True)
class Versions:
    """The registry at one moment: versions newest first, moves oldest first; `error` where it cannot be read."""

    all: tuple[Version, ...] = ()
    moves: tuple[Move, ...] = ()
    error: str = ""

    def named(self, alias: str) -> Version | None:
        """The version with this alias."""
        return next((version for version in self.all if alias in version.aliases), None)


@dataclass(frozen=True)
class Site:
    """What all pages share. Thread safe.

    Attributes:
        brain: Decides and knows the project.
        database: The loop's records.
        store: Predictions and labels.
        keys: Signs people in.
        attempts: Failed logins.
        versions: The registry, some seconds old at most.
        curves: The curves of a span and a version, some seconds old at most.
        clock: Unix seconds.
    """

    brain: Brain
    database: Database
    store: PredictionStore
    keys: Keys
    attempts: Attempts
    versions: Fresh[Versions]
    curves: Fresh[Curves]
    clock: Callable[[], float]

    @property
    def project(self) -> Project:
        """The project."""
        return self.brain.project

    def channel(self) -> Channel | None:
        """What servers are told to serve."""
        return current_channel(self.project)

    def forget(self) -> None:
        """Something was changed here: read everything anew."""
        self.versions.forget()
        self.curves.forget()


@contextmanager
def opened_site(
    brain: Brain, token: str, prometheus: str = "", clock: Callable[[], float] = time.time
) -> Iterator[Site]:
    """The site of a loop, with connections of its own.

    Args:
        brain: The loop's.
        token: What people sign in with.
        prometheus: The address of a Prometheus that watches the servers; empty: the curves come from the store.
        clock: Unix seconds.

    Raises:
        TuneloopError: Records or store cannot be opened.
    """
    project = brain.project
    database = Database(database_url(project.state), project.name)
    try:
        store = PredictionStore(default_store_url(project.state))
    except TuneloopError:
        database.close()
        raise
    try:
        yield Site(
            brain=brain,
            database=database,
            store=store,
            keys=Keys(token, clock),
            attempts=Attempts(),
            versions=Fresh(lambda: _versions(project), _VERSION_SECONDS),
            curves=Fresh(partial(_curves, project, store, prometheus, clock), _CURVE_SECONDS),
            clock=clock,
        )
    finally:
        store.close()
        database.close()


def _versions(project: Project) -> Versions:
    registry = Registry(project)
    try:
        return Versions(registry.versions(), registry.history())
    except TuneloopError as error:
        return Versions(error=str(error))


def _curves(
    project: Project,
    store: PredictionStore,
    prometheus: str,
    clock: Callable[[], float],
    span: str,
    champion: str | None,
) -> Curves:
    """From Prometheus where there is one that answers, else from the store."""
    from sqlalchemy.exc import SQLAlchemyError

    monitor, note = project.monitor, ""

    def asked(step: float) -> Asked:
        # Windows end at round times, so that a look a moment later shows the same points.
        end = (clock() // step + 1) * step
        windows = 1 + len(monitor.longer)
        return Asked(project.name, champion, end - SPANS[span], end, step, monitor.window, monitor.zscore, windows)

    if prometheus:
        try:
            return read_prometheus(prometheus, asked(step_of(SPANS[span], monitor.window, whole=False)))
        except ServingError as error:
            note = f" ({error})"
    try:
        found = read_store(store, asked(step_of(SPANS[span], monitor.window, whole=True)), _artifact(project))
    except SQLAlchemyError as error:
        why = f"The prediction store cannot be read: {type(error).__name__}."
        return Curves(None, None, f"nowhere{note}", why, why)
    return Curves(found.drift, found.accuracy, found.source + note, found.drift_why, found.accuracy_why)


def _artifact(project: Project) -> Path | None:
    channel = current_channel(project)
    if channel is None:
        return None
    place = Path(artifact_place(str(channel_path(project)), channel.champion))
    return place if place.is_dir() else None

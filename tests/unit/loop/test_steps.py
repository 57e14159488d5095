"""Steps of a retraining whose database goes away, and what is undone where a promotion moved nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.postgres import Postgres
from tests.unit.loop.conftest import make_artifact

from tuneloop.api import RegistryError
from tuneloop.config import Project
from tuneloop.loop import steps
from tuneloop.loop.deciding.approvals import approval_of, approve
from tuneloop.loop.deciding.decisions import Decisions
from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.records import Database, database_url
from tuneloop.loop.retrain import _promote
from tuneloop.loop.rollout import Rollout
from tuneloop.loop.stages import Stages
from tuneloop.loop.steps import Retraining
from tuneloop.loop.training import Stopped, Training
from tuneloop.pipeline import publish
from tuneloop.pipeline.promoting.challenge import Trial, challenge
from tuneloop.pipeline.promoting.promotion import current_channel
from tuneloop.registry import Entry, Registry

DEADLINE = 300.0


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


@pytest.fixture
def project(tmp_path: Path, make_world_project: Callable[[Path], Project]) -> Project:
    return make_world_project(tmp_path)


@pytest.fixture
def make(project: Project) -> Iterator[Callable[[str], Retraining]]:
    opened: list[Database] = []

    def make(url: str) -> Retraining:
        database, stopping = Database(url, project.name), threading.Event()
        opened.append(database)
        return Retraining(
            project=project,
            plugins=None,  # type: ignore[arg-type]
            decisions=Decisions(database, time.time),
            stages=Stages(database, time.time),
            evidence=EvidenceReader(None, project.name),
            training=Training(project.root, project.state, stopping),
            rollout=Rollout((), project.name, stopping=stopping),
            ended=lambda *_: None,
            stage_ended=lambda *_: None,
            stopping=stopping,
        )

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def away(postgres_server: Postgres, postgres: str) -> Iterator[Callable[[bool], None]]:
    """Takes the database away, and brings it back: connections to it end, and none is let in."""
    name = postgres.rpartition("/")[2]

    def away(gone: bool) -> None:
        postgres_server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {not gone}")
        if gone:
            postgres_server.cut(name)

    yield away
    away(False)


def test_an_outage_is_no_result_of_a_step(
    make: Callable[[str], Retraining],
    postgres: str,
    away: Callable[[bool], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(steps, "_AGAIN_SECONDS", 0.05)
    retraining = make(postgres)
    database = retraining.decisions.database
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING, steps.__name__):
        step = pool.submit(retraining.do, "approval", "run-1", "2")
        try:
            until(lambda: approval_of(database, "run-1"))
            away(True)
            until(lambda: len(caplog.records) > 1 or step.done())
            away(False)
            assert not step.done()
            approve(database, "run-1", "ada", "fine")
            assert step.result(DEADLINE) == {"approved": True, "sentence": "approved by ada: fine"}
        finally:
            retraining.stopping.set()
    (stage,) = retraining.stages.of("run-1")
    assert (stage.stage, stage.sentence) == ("approval", "approved by ada: fine")
    assert stage.ended is not None
    assert "the step 'approval' waits for its database" in caplog.text


def test_a_step_that_waits_for_its_database_ends_with_the_loop(
    make: Callable[[str], Retraining], postgres: str, away: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    retraining = make(postgres)
    away(True)
    with ThreadPoolExecutor(1) as pool:
        step = pool.submit(retraining.do, "approval", "run-1", "2")
        try:
            until(lambda: caplog.records or step.done())
        finally:
            retraining.stopping.set()
        with pytest.raises(Stopped):
            step.result(DEADLINE)
    retraining.settle()


def test_an_outage_that_the_registry_tells_of_is_none_either(
    make: Callable[[str], Retraining], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    monkeypatch.setattr(steps, "_AGAIN_SECONDS", 0.0)
    retraining, asked = make(database_url(project.state)), []

    def look(_: Retraining) -> None:
        asked.append(1)
        if len(asked) > 2:
            return
        try:
            sa.create_engine("postgresql+psycopg://me@127.0.0.1:1/x").connect()
        except sa.exc.OperationalError as error:
            try:
                raise RuntimeError("temporarily unavailable") from error
            except RuntimeError as said:
                raise RegistryError("the registry cannot be used") from said

    monkeypatch.setattr(Retraining, "look", look)
    assert retraining.do("look") is None
    assert len(asked) == 3


def test_what_no_waiting_ends_is_raised_at_once(make: Callable[[str], Retraining], project: Project) -> None:
    """A table that is gone is an `OperationalError` of SQLite as well."""
    retraining = make(database_url(project.state))
    with retraining.decisions.database.write() as connection:
        connection.execute(sa.text("DROP TABLE tuneloop_loop_approvals"))
    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        retraining.do("approval", "run-1", "2")
    (stage,) = retraining.stages.of("run-1")
    assert "no such table" in stage.sentence


def test_a_promotion_that_fails_before_anything_moves_leaves_no_canary(
    make: Callable[[str], Retraining], project: Project
) -> None:
    registry = Registry(project)
    for number, name in enumerate(("champion", "challenger"), 1):
        artifact = make_artifact(project.root / name, b"%d" % number)
        registry.register(Entry(run=name, artifact=artifact, passed=True))
    registry.promote("1", "me", "first")
    publish(project, registry)
    challenge(project, "2", Trial("canary", 0.5), who="loop", why="canary 50% of run run-1")
    retraining = make(database_url(project.state))

    def do(name: str, *arguments: Any) -> Any:
        if name == "promote":
            raise RegistryError("the registry is away")
        return retraining.do(name, *arguments)

    end = _promote(do, "run-1", "2", "0" * 64, retraining.plan(), [])
    assert (end.outcome, end.reason) == ("rolled-back", "the registry is away; version 1 is champion")
    channel = current_channel(project)
    assert channel is not None
    assert (channel.champion.version, channel.challenger) == ("1", None)
    assert [(move.kind, move.version) for move in registry.history()][-1] == ("stop", "2")
    # Done again, as after a crash, it is not done twice.
    assert retraining.do("undo", "run-1", "2", "again") == "version 1 is champion"
    assert len(registry.history()) == 3

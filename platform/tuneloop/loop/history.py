"""What the loop decided, read from its records without a running loop."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneloop.loop.deciding.approvals import Approval, waiting
from tuneloop.loop.deciding.decisions import Decisions
from tuneloop.loop.deciding.pause import paused
from tuneloop.loop.records import AlertRecord, Database, LoopRun, database_url, recorded
from tuneloop.loop.stages import Stage, Stages

if TYPE_CHECKING:
    from tuneloop.config import Project


@dataclass(frozen=True, slots=True)
class Standing:
    """How the loop stands now.

    Attributes:
        paused: Who paused it and why, in a sentence; None: nobody did.
        waiting: Runs that wait for a person's word, oldest first.
        stages: Those of the run at work, in order; empty where there is none.
    """

    paused: str | None = None
    waiting: tuple[Approval, ...] = ()
    stages: tuple[Stage, ...] = ()


def read_standing(project: Project) -> Standing:
    """How the loop stands, by its records.

    Raises:
        TuneloopError: The records cannot be opened.
    """
    if not recorded(project.state):
        return Standing()
    database = Database(database_url(project.state), project.name)
    try:
        pause, run = paused(database), Decisions(database, time.time).unfinished()
        stages = () if run is None else tuple(Stages(database, time.time).of(run.run))
        return Standing(None if pause is None else pause.sentence, tuple(waiting(database)), stages)
    finally:
        database.close()


def read_history(project: Project, limit: int) -> tuple[list[AlertRecord], list[LoopRun]]:
    """The alerts decided last and the runs started last, newest first; at most `limit` of each.

    Raises:
        TuneloopError: The records cannot be opened.
    """
    if not recorded(project.state):
        return [], []
    database = Database(database_url(project.state), project.name)
    try:
        decisions = Decisions(database, time.time)
        return decisions.recent_alerts(limit), decisions.recent_runs(limit)
    finally:
        database.close()

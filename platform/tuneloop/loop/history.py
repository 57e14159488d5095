"""What the loop decided, read from its records without a running loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tuneloop.loop.decisions import Decisions
from tuneloop.loop.records import AlertRecord, Database, LoopRun, database_url, recorded

if TYPE_CHECKING:
    from tuneloop.config import Project


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

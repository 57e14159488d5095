"""The stages of a run on record: when each began and ended, what it found, and what it must remember over a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tuneloop.loop.records import Database
from tuneloop.loop.schema import stages


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a run.

    Attributes:
        run: The run's id.
        stage: Such as `train`, `approval`, `shadow`, `canary 5%`, `watch`.
        started: Unix second at which it began.
        ended: Unix second; None: it is at work, or was given up.
        sentence: What it found, or so far.
        figures: The numbers behind it, by name.
    """

    run: str
    stage: str
    started: float
    ended: float | None
    sentence: str
    figures: Mapping[str, Any]


class Stages:
    """The stages of the runs of one model. Thread safe.

    Args:
        database: The loop's.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock
        self._model = database.model

    def begin(self, run: str, stage: str) -> Stage:
        """A stage begins; one that began before goes on, with the moment at which it did."""
        with self._database.write() as connection:
            found = connection.execute(self._one(run, stage)).first()
            if found is not None:
                return _stage(found)
            now = self._clock()
            values = {"model": self._model, "run": run, "stage": stage, "started": now}
            connection.execute(sa.insert(stages).values(**values, sentence="", figures="{}", state=""))
        return Stage(run, stage, now, None, "", {})

    def note(self, run: str, stage: str, sentence: str, figures: Mapping[str, Any], state: str) -> None:
        """What a stage that is at work found so far, and the text it must remember."""
        self._update(run, stage, sentence=sentence, figures=json.dumps(dict(figures)), state=state)

    def end(self, run: str, stage: str, sentence: str | None = None) -> Stage | None:
        """A stage ended; gives it where it was this call that ended it. No sentence: that of the last note stays."""
        values: dict[str, Any] = {"ended": self._clock()}
        if sentence is not None:
            values["sentence"] = sentence
        if not self._update(run, stage, **values):
            return None
        with self._database.read() as connection:
            return _stage(connection.execute(self._one(run, stage)).one())

    def state(self, run: str, stage: str) -> str:
        """What a stage remembers; empty where that is nothing."""
        with self._database.read() as connection:
            found = connection.execute(self._one(run, stage)).first()
        return "" if found is None else str(found.state)

    def of(self, run: str) -> list[Stage]:
        """The stages of a run, in the order in which they began."""
        query = sa.select(stages).where(stages.c.model == self._model, stages.c.run == run)
        query = query.order_by(stages.c.started, stages.c.ended.is_(None), stages.c.ended)
        with self._database.read() as connection:
            return [_stage(row) for row in connection.execute(query)]

    def _one(self, run: str, stage: str) -> sa.Select[Any]:
        return sa.select(stages).where(stages.c.model == self._model, stages.c.run == run, stages.c.stage == stage)

    def _update(self, run: str, stage: str, **values: Any) -> bool:
        where = (stages.c.model == self._model, stages.c.run == run, stages.c.stage == stage, stages.c.ended.is_(None))
        with self._database.write() as connection:
            return connection.execute(sa.update(stages).where(*where).values(**values)).rowcount == 1


def _stage(row: sa.Row[Any]) -> Stage:
    return Stage(row.run, row.stage, row.started, row.ended, row.sentence, json.loads(row.figures))

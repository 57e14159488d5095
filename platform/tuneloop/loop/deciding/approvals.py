"""A person's word on a challenger that passed the gate, where `rollout.approval` asks for one.

A run that waits is a row without a decision. Deciding is idempotent: the first word stays, the same word again changes
nothing, and the opposite is refused.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import sqlalchemy as sa

from tuneloop.api import RunError
from tuneloop.loop.records import Database
from tuneloop.loop.schema import approvals


@dataclass(frozen=True, slots=True)
class Approval:
    """What was asked about a run, and the answer, if there is one.

    Attributes:
        run: The run's id.
        version: The version it wants to roll out.
        asked: Unix second since which it waits.
        decided: Unix second of the answer; None: it waits.
        approved: The answer; None: it waits.
        who: Who answered; empty while it waits.
        why: The reason given; may be empty.
    """

    run: str
    version: str
    asked: float
    decided: float | None
    approved: bool | None
    who: str
    why: str


def waiting(database: Database) -> list[Approval]:
    """The runs that wait for a word, oldest first."""
    with database.read() as connection:
        query = sa.select(approvals).where(approvals.c.model == database.model, approvals.c.decided.is_(None))
        return [_approval(row) for row in connection.execute(query.order_by(approvals.c.asked))]


def approval_of(database: Database, run: str) -> Approval | None:
    """What was asked about a run, and the answer; None where nothing was asked."""
    with database.read() as connection:
        return _find(connection, database, run)


def ask(database: Database, run: str, version: str, now: float) -> Approval:
    """Let a run wait from this Unix second on; one that was asked about before keeps its question and its answer."""
    with database.write() as connection:
        found = _find(connection, database, run)
        if found is not None:
            return found
        values = {"model": database.model, "run": run, "version": version, "asked": now, "who": "", "why": ""}
        connection.execute(sa.insert(approvals).values(**values))
    return Approval(run, version, now, None, None, "", "")


def withdraw(database: Database, run: str, now: float, why: str) -> None:
    """The run ended without an answer, so it waits no more; an answer that was given stays."""
    with database.write() as connection:
        mine = (approvals.c.model == database.model, approvals.c.run == run, approvals.c.decided.is_(None))
        connection.execute(sa.update(approvals).where(*mine).values(decided=now, approved=False, who="loop", why=why))


def approve(database: Database, run: str, who: str, why: str = "") -> Approval:
    """Let a waiting run go on.

    Raises:
        RunError: It does not wait, or was declined.
    """
    return _decide(database, run, who, why, approved=True)


def decline(database: Database, run: str, who: str, why: str) -> Approval:
    """End a waiting run; the champion stays.

    Raises:
        RunError: It does not wait, or was approved.
    """
    return _decide(database, run, who, why, approved=False)


def _decide(database: Database, run: str, who: str, why: str, *, approved: bool) -> Approval:
    with database.write() as connection:
        found = _find(connection, database, run)
        if found is None:
            query = sa.select(approvals.c.run).where(approvals.c.model == database.model, approvals.c.decided.is_(None))
            listed = ", ".join(connection.scalars(query)) or "none"
            raise RunError(f"run {run!r} does not wait for a word; those that do: {listed}")
        if found.decided is None:
            now = time.time()
            values = {"decided": now, "approved": approved, "who": who, "why": why}
            mine = (approvals.c.model == database.model, approvals.c.run == run)
            connection.execute(sa.update(approvals).where(*mine).values(**values))
            found = replace(found, decided=now, approved=approved, who=who, why=why)
    if found.approved != approved:
        said = "approved" if found.approved else "declined"
        raise RunError(f"run {run!r} was {said} by {found.who or 'nobody'} before; that stays")
    return found


def _find(connection: sa.Connection, database: Database, run: str) -> Approval | None:
    query = sa.select(approvals).where(approvals.c.model == database.model, approvals.c.run == run)
    found = connection.execute(query).first()
    return None if found is None else _approval(found)


def _approval(row: sa.Row[tuple[object, ...]]) -> Approval:
    values = dict(row._mapping)
    values.pop("model")
    return Approval(**values)

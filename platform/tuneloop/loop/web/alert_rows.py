"""Decisions by outcome, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from tuneloop.loop.records import AlertRecord, Database, alerts, as_alert

OUTCOMES = ("accepted", "suppressed", "ignored")
ROWS = 50
"""Decisions a page."""


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Some decisions, the last first; `pages` is how many such pages there are, and `counts` how many by outcome."""

    rows: list[AlertRecord]
    page: int
    pages: int
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Decisions of any outcome."""
        return sum(self.counts.values())


def read_alerts(database: Database, outcome: str, page: int) -> AlertPage:
    """The decisions of a page.

    Args:
        database: The loop's records.
        outcome: One of `OUTCOMES`, or empty for all.
        page: From 1; beyond the last one, the last.
    """
    mine = alerts.c.model == database.model
    counted = sa.select(alerts.c.outcome, sa.func.count()).where(mine).group_by(alerts.c.outcome)
    with database.read() as connection:
        counts = dict.fromkeys(OUTCOMES, 0) | {name: int(count) for name, count in connection.execute(counted)}
        rows = counts.get(outcome, 0) if outcome else sum(counts.values())
        pages = max(1, -(-rows // ROWS))
        page = min(max(page, 1), pages)
        query = sa.select(alerts).where(mine)
        if outcome:
            query = query.where(alerts.c.outcome == outcome)
        newest = query.order_by(alerts.c.decided.desc(), alerts.c.key).limit(ROWS).offset((page - 1) * ROWS)
        return AlertPage([as_alert(row) for row in connection.execute(newest)], page, pages, counts)

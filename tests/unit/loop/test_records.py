"""The loop's tables are made by whoever comes first, also where several come at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from tuneloop.loop.records import Database
from tuneloop.loop.schema import schema

DEADLINE = 300.0


@contextmanager
def before_tables_are_made(listener: Any) -> Iterator[None]:
    sa.event.listen(schema, "before_create", listener)
    try:
        yield
    finally:
        sa.event.remove(schema, "before_create", listener)


def test_two_projects_may_begin_on_one_empty_database(postgres: str) -> None:
    """The first has looked which tables there are, and makes none until the second has done so too, or has to wait."""
    came, second = [], threading.Event()
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    waits = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )

    def hold(*_: Any, **__: Any) -> None:
        came.append(threading.get_ident())
        if len(came) > 1:
            second.set()
            return
        other = pool.submit(lambda: Database(postgres, "shop").close())
        with engine.connect() as connection:
            while not second.wait(0.02) and not other.done() and not connection.scalar(waits):
                pass
        others.append(other)

    others: list[Any] = []
    with ThreadPoolExecutor(1) as pool, before_tables_are_made(hold):
        Database(postgres, "desk").close()
        others[0].result(DEADLINE)
    with engine.connect() as connection:
        assert set(schema.tables) <= set(sa.inspect(connection).get_table_names())
    engine.dispose()

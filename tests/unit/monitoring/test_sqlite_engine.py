from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from tuneloop.monitoring import sqlite_engine
from tuneloop.monitoring.sqlite_engine import WRITE, prepare_sqlite


def engine(path: Path, **options: bool) -> sa.Engine:
    made = sa.create_engine(f"sqlite:///{path}")
    prepare_sqlite(made, synchronous="FULL", **options)
    return made


def test_many_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def attempt(round_: int) -> str:
        made = engine(tmp_path / f"{round_}.db")
        together.wait(60)
        with made.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        made.dispose()
        return str(mode)

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(attempt, [n // 6 for n in range(120)])) == {"wal"}


def test_the_change_to_wal_is_tried_again_while_others_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        tries = 0

        def execute(self, statement: str) -> None:
            assert statement == "PRAGMA journal_mode=WAL"
            self.tries += 1
            if self.tries < 3:
                raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(sqlite_engine.time, "sleep", lambda _: None)
    busy = Busy()
    sqlite_engine._enter_wal(busy)  # type: ignore[arg-type]
    assert busy.tries == 3
    busy.tries = 0
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite_engine._enter_wal(busy, patience=-1)  # type: ignore[arg-type]


def test_the_settings_hold_on_every_connection(tmp_path: Path) -> None:
    made = engine(tmp_path / "a.db")
    for _ in range(2):
        with made.connect() as connection:
            settings = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("synchronous", "busy_timeout")
            ]
            assert settings == [2, 30000]
        made.dispose()


@pytest.mark.parametrize("always", [True, False])
def test_a_transaction_that_writes_begins_as_a_writer(tmp_path: Path, always: bool) -> None:
    made = engine(tmp_path / "a.db", always_writes=always)
    writer = made if always else made.execution_options(**{WRITE: True})
    other = sqlite3.connect(tmp_path / "a.db", timeout=0)
    with writer.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    if not always:
        with made.begin():
            other.execute("BEGIN IMMEDIATE")
    other.close()
    made.dispose()

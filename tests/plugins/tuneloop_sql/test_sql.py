from __future__ import annotations

import datetime
import decimal
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from tuneloop.api import DataError, MissingExtraError
from tuneloop.api.testing import DataSourceContract
from tuneloop_sql import Sql

ROWS = [
    {"id": 1, "text": "good day", "stars": 4.0},
    {"id": 2, "text": None, "stars": None},
    {"id": 3, "text": "it's", "stars": 1.5},
]


def fill(engine: sa.Engine, rows: list[dict[str, Any]] = ROWS) -> None:
    table = sa.Table(
        "messages",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text),
        sa.Column("stars", sa.Float),
    )
    table.metadata.create_all(engine)
    with engine.begin() as connection:
        # Written in another order than that of the key.
        connection.execute(sa.insert(table), rows[::-1])


def source(**options: Any) -> Sql:
    return Sql(Sql.Options(**options))


class TestSqlite(DataSourceContract):
    plugin = Sql
    options: ClassVar[Any] = {"url": "sqlite:///desk.db", "table": "messages", "batch_rows": 2}
    expected = tuple(ROWS)
    broken = (
        {"url": "sqlite:///desk.db", "table": "message"},
        {"url": "sqlite:///desk.db", "query": "select nothing from messages"},
        {"url": "sqlite:///desk.db", "query": "select * from messages where id > 3"},
        {"url": "sqlite:///desk.db", "query": "select id, stars as id from messages"},
        {"url": "sqlite:///desk.db", "query": "select x'00ff' as picture"},
        {"url": "no url", "table": "messages"},
        {"url": "nosuch://host/desk", "table": "messages"},
        {"url_env": "TUNELOOP_TEST_NOWHERE", "table": "messages"},
    )

    def files(self, root: Path) -> None:
        engine = sa.create_engine(f"sqlite:///{root}/desk.db")
        fill(engine)
        engine.dispose()


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    TestSqlite().files(tmp_path)
    return tmp_path


def test_a_query_gives_its_rows_in_its_order(desk: Path) -> None:
    query = "with good as (select * from messages where stars > 1) select text, stars from good order by stars"
    rows = source(url="sqlite:///desk.db", query=query).load(desk)
    assert rows.to_list() == [{"text": "it's", "stars": 1.5}, {"text": "good day", "stars": 4.0}]


def test_the_url_may_come_from_the_environment(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_URL", "sqlite:///desk.db")
    assert source(url_env="DESK_URL", table="messages").load(desk).to_list() == ROWS


@pytest.mark.parametrize(
    "query",
    [
        "with gone as (select 1) delete from messages",
        "select * from messages; drop table messages",
    ],
)
def test_nothing_is_written(desk: Path, query: str) -> None:
    with pytest.raises(DataError, match="does not answer the query"):
        source(url="sqlite:///desk.db", query=query).load(desk)
    with sqlite3.connect(desk / "desk.db") as connection:
        assert connection.execute("select count(*) from messages").fetchone() == (3,)
    connection.close()


def test_a_query_that_writes_is_seen_in_the_project_file() -> None:
    with pytest.raises(ValidationError, match="a query that reads"):
        source(url="sqlite://", query="delete from messages")
    with pytest.raises(ValidationError, match="one of query and table"):
        source(url="sqlite://")
    with pytest.raises(ValidationError, match="one of url and url_env"):
        source(table="messages")


def test_an_absent_table_is_named_beside_those_there_are(desk: Path) -> None:
    with pytest.raises(DataError, match=r"'message': there is no such table; known: messages"):
        source(url="sqlite:///desk.db", table="message").load(desk)


def test_no_message_holds_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_URL", "postgresql+psycopg://me:geheim@127.0.0.1:1/desk?connect_timeout=2")
    with pytest.raises(DataError, match="does not answer table 'messages'") as caught:
        source(url_env="DESK_URL", table="messages").load(tmp_path)
    assert "geheim" not in str(caught.value)
    assert "me:***@127.0.0.1" in str(caught.value)


def test_an_absent_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real: Callable[..., Any] = builtins.__import__

    def no_driver(name: str, *arguments: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "psycopg":
            raise ImportError("No module named 'psycopg'", name="psycopg")
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", no_driver)
    with pytest.raises(MissingExtraError, match=r"tuneloop\[postgres\]"):
        source(url="postgresql+psycopg://me@127.0.0.1/desk", table="messages").load(tmp_path)


def test_many_rows_come_in_batches(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/desk.db")
    rows = [{"id": n, "text": f"message {n}", "stars": None if n < 300 else float(n)} for n in range(1, 1001)]
    fill(engine, rows)
    engine.dispose()
    found = source(url="sqlite:///desk.db", table="messages", batch_rows=128).load(tmp_path)
    # The first batches hold no stars at all: their type comes from later ones.
    assert found.to_list() == rows


def test_postgresql(postgres: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.text("create schema shop"))
        connection.execute(
            sa.text(
                "create table shop.sales (id uuid primary key, price numeric(8, 2), day date, at timestamptz,"
                " sold boolean, tags text[], lasted interval)"
            )
        )
        values = {
            "id": uuid.UUID(int=7),
            "price": decimal.Decimal("12.50"),
            "day": datetime.date(2024, 2, 29),
            "at": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
            "lasted": datetime.timedelta(minutes=2),
        }
        insert = "insert into shop.sales values (:id, :price, :day, :at, true, array['a', 'b'], :lasted)"
        connection.execute(sa.text(insert), values)
    [row] = source(url=postgres, table="shop.sales").load(tmp_path).to_list()
    moment = datetime.datetime.fromisoformat(row.pop("at"))
    assert moment == values["at"]
    assert row == {
        "id": "00000000-0000-0000-0000-000000000007",
        "price": 12.5,
        "day": "2024-02-29",
        "sold": True,
        "tags": ["a", "b"],
        "lasted": 120.0,
    }
    with engine.begin() as connection:
        connection.execute(sa.text("create sequence shop.numbers"))
    for query, said in {
        "select nextval('shop.numbers')": "read-only transaction",
        "with gone as (delete from shop.sales returning *) select * from gone": "data-modifying statements",
    }.items():
        with pytest.raises(DataError, match=said):
            source(url=postgres, query=query).load(tmp_path)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("select count(*) from shop.sales")) == 1
    engine.dispose()

"""Studies on SQLite and on a real PostgreSQL, beside what others keep there."""

from __future__ import annotations

import sqlite3

import pytest

from tuneloop.api import RunError
from tuneloop.config.search import Search
from tuneloop.pipeline.searching.storage import open_storage, open_study, storage_url

pytest.importorskip("optuna")


def test_the_url_is_the_projects_or_that_of_all_runs(drive, tmp_path, monkeypatch):
    monkeypatch.delenv("TUNELOOP_DATABASE_URL", raising=False)
    assert storage_url(tmp_path) == f"sqlite:///{tmp_path / 'search.db'}"
    monkeypatch.setenv("TUNELOOP_DATABASE_URL", "postgresql+psycopg://db/desk")
    assert storage_url(tmp_path) == "postgresql+psycopg://db/desk"


def test_a_file_is_written_ahead_where_this_machine_alone_uses_it(drive, tmp_path):
    for alone, mode in ((True, "wal"), (False, "delete")):
        path = tmp_path / f"{alone}.db"
        open_storage(f"sqlite:///{path}", alone=alone)
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
        connection.close()


def test_a_search_is_kept_in_postgres_beside_the_tables_of_others(
    drive, tmp_path, postgres_server, world, worlds, search
):
    url = postgres_server.database()
    postgres_server.sql("CREATE TABLE alembic_version (version_num TEXT)", database=url.rpartition("/")[2])
    plan = world.plan(tmp_path, search(trials=4), url=url)
    rows = drive(plan, world.run_many)
    again = worlds()
    assert drive(again.plan(tmp_path, search(trials=6), url=url), again.run_many)[:4] == rows
    assert len(again.done) == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://desk:geheim@127.0.0.1:1/desk", "nobody listens at that address"),
        ("sqlite:////nowhere/at/all/search.db", "unable to open database file"),
        ("nonsense", "cannot be used"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(drive, url, said):
    with pytest.raises(RunError, match=said) as caught:
        open_study(url, "desk", Search({}), maximize=True)
    assert "geheim" not in str(caught.value)

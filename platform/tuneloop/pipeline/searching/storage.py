"""Where trials are kept: a SQLite file of the project, or the PostgreSQL that `TUNELOOP_DATABASE_URL` names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tuneloop.api import MissingExtraError, RunError
from tuneloop.config.search import Search
from tuneloop.monitoring.postgres import check_database, in_words, is_postgres, postgres_options, without_password

_DATABASE = "search.db"
_SCHEMA = "tuneloop_search"
_BUSY_SECONDS = 240
"""How long a process waits while another writes to the file."""


def storage_url(state: Path) -> str:
    """Where trials are recorded. `state` is the project's `.tuneloop`."""
    return os.environ.get("TUNELOOP_DATABASE_URL") or f"sqlite:///{state / _DATABASE}"


def open_storage(url: str, *, alone: bool = False) -> Any:
    """Optuna's storage at a SQLAlchemy URL; its tables are made where they are absent.

    Args:
        url: The database.
        alone: Whether processes of this machine alone use it: a file is then written ahead, which takes a tenth of
            the time and would not work on a shared disk.

    Raises:
        MissingExtraError: Optuna is not installed.
        RunError: The database cannot be used.
    """
    optuna = import_optuna()
    options: dict[str, Any] = {"connect_args": {"timeout": _BUSY_SECONDS}}
    try:
        check_database(url)
        if is_postgres(url):
            options = postgres_options(url)
            _make_schema(url)
            # A schema of its own: MLflow keeps its tables, some with the same names, in the public one.
            options["connect_args"] |= {"options": f"-csearch_path={_SCHEMA}"}
        storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
        if not is_postgres(url):
            _tune_file(storage.engine, alone=alone)
        return storage
    except Exception as error:
        shown = without_password(url)
        raise RunError(f"the database of trials at {shown} cannot be used: {in_words(error)}") from error


def open_study(url: str, name: str, search: Search, *, maximize: bool, alone: bool = False) -> Any:
    """The study of a search, made where there is none; errors as in `open_storage`."""
    optuna = import_optuna()
    return optuna.create_study(
        study_name=name,
        storage=open_storage(url, alone=alone),
        direction="maximize" if maximize else "minimize",
        pruner=_pruner(search.prune),
        load_if_exists=True,
    )


def close_study(study: Any) -> None:
    """Close the connections of a study's storage."""
    storage = study._storage
    backend = getattr(storage, "_backend", storage)
    backend.remove_session()
    backend.engine.dispose()


def import_optuna() -> Any:
    """The module `optuna`, which says nothing on its own.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("a search", "optuna", "train") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _tune_file(engine: Any, *, alone: bool) -> None:
    import sqlalchemy as sa

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        if alone:
            cursor.execute("PRAGMA journal_mode=WAL")
        (mode,) = cursor.execute("PRAGMA journal_mode").fetchone()
        if mode == "wal":
            # Safe against a killed process; a power cut may take the last trial, and never more.
            cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    # Connections that were made before know nothing of it.
    engine.dispose()
    with engine.connect():
        pass


def _make_schema(url: str) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(url, **postgres_options(url))
    try:
        with engine.begin() as connection:
            # Two that begin at once would both find it absent.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": _SCHEMA})
            connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}"))
    finally:
        engine.dispose()


def _pruner(word: str) -> Any:
    pruners = import_optuna().pruners
    if word == "median":
        # The first trials, and the first epoch of each, say too little. Epochs count from 1, Optuna's steps from 0.
        return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)
    return pruners.HyperbandPruner() if word == "hyperband" else pruners.NopPruner()

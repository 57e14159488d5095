"""A local store is made whole or not at all: MLflow makes its tables in many steps, and begins them only once."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tuneloop.api import MissingExtraError
from tuneloop.registry.tracking import quieten


def make_whole(file: Path) -> None:
    """Make an MLflow store in a SQLite file, where there is none.

    A disk that is full in the middle, or a process that is killed, leaves nothing under its name. MLflow itself would
    leave some of its tables, and then fail at them for ever.

    Raises:
        MissingExtraError: MLflow is not installed.
        OSError: The file cannot be written.
    """
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not file.exists():
            half = file.with_name(f"{file.name}.half")
            # What was cut off before.
            half.unlink(missing_ok=True)
            half.with_name(f"{half.name}-journal").unlink(missing_ok=True)
            _make(half)
            half.rename(file)
    finally:
        os.close(handle)


def _make(file: Path) -> None:
    quieten()
    try:
        import sqlalchemy
        from mlflow.store.db.utils import _initialize_tables
    except ImportError as error:
        raise MissingExtraError("the registry", "mlflow", "train") from error
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    try:
        _initialize_tables(engine)
    finally:
        engine.dispose()

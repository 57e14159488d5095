"""Durable workflows: DBOS on the project's SQLite file, or on the database `TUNELOOP_DATABASE_URL` names.

Every launch has an executor id, and recovers the unfinished workflows of that id alone: a run started beside another
never takes it over. Workflow data are stored as JSON; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuneloop.api import MissingExtraError, RunError
from tuneloop.monitoring.postgres import check_database, in_words, is_postgres, without_password

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""Between two looks at a database that is shared."""
_DATABASE = "runs.db"
_FORMAT = "tuneloop-1"
_ERROR = "__error__"


def database_url(state: Path) -> str:
    """Where workflows are recorded. `state` is the project's `.tuneloop`."""
    return os.environ.get("TUNELOOP_DATABASE_URL") or f"sqlite:///{state / _DATABASE}"


@contextmanager
def launched(state: Path, executor: str, register: Callable[[], object]) -> Iterator[None]:
    """Run durable workflows while inside; those of this executor that were cut off go on by themselves.

    Args:
        state: The project's `.tuneloop`.
        executor: The run's id, or the name of a long-lived process.
        register: Registers the workflows; called before anything is recovered.

    Raises:
        RunError: The database cannot be used.
    """
    try:
        from dbos import DBOS
    except ImportError as error:
        raise MissingExtraError("the pipeline", "dbos", "train") from error
    _refuse_pickle()
    state.mkdir(parents=True, exist_ok=True)
    url = database_url(state)
    try:
        check_database(url)
    except Exception as error:
        raise RunError(f"the database of runs at {without_password(url)} cannot be used: {in_words(error)}") from error
    try:
        DBOS(
            config={
                "name": "tuneloop",
                "system_database_url": url,
                # Not that of the code, or a change of it would strand unfinished runs. One for each executor, because a
                # recovered workflow goes through a queue that all processes of one version read.
                "application_version": f"{_FORMAT}-{executor}",
                "executor_id": executor,
                "log_level": "CRITICAL",
                "enable_otlp": False,
                "serializer": _json_serializer(),
            }
        )
        register()
        DBOS.launch()
    except Exception as error:
        DBOS.destroy()
        raise RunError(f"the database of runs at {without_password(url)} cannot be used: {in_words(error)}") from error
    try:
        yield
    finally:
        DBOS.destroy()


@contextmanager
def watched(state: Path, run: str, look: float = LOOK_SECONDS) -> Iterator[None]:
    """Say so, while inside, when the database that runs share does not answer: DBOS waits for it without a word.

    Args:
        state: The project's `.tuneloop`.
        run: The run's id.
        look: Seconds between two looks.
    """
    url, over = database_url(state), threading.Event()
    if not is_postgres(url):
        yield
        return

    def run_on() -> None:
        lost = False
        while not over.wait(look):
            try:
                check_database(url)
            except Exception as error:
                if not lost:
                    said = (
                        "the database of runs at %s does not answer: %s. Run %s waits for it, and goes on by itself; "
                    )
                    said += "ended meanwhile, it goes on by: tuneloop run --resume %s"
                    logger.warning(said, without_password(url), in_words(error), run, run)
                lost = True
            else:
                if lost:
                    logger.warning("the database of runs at %s answers again", without_password(url))
                lost = False

    thread = threading.Thread(target=run_on, name="tuneloop-database", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _json_serializer() -> Any:
    from dbos._serialization import Serializer

    class Json(Serializer):
        """Plain JSON; an error keeps its text."""

        def serialize(self, data: Any) -> str:
            if isinstance(data, BaseException):
                data = {_ERROR: str(data) or type(data).__name__}
            return json.dumps(data, ensure_ascii=False)

        def deserialize(self, serialized_data: str) -> Any:
            found = json.loads(serialized_data)
            if isinstance(found, dict) and _ERROR in found:
                return RunError(found[_ERROR])
            return found

        def name(self) -> str:
            return "tuneloop_json"

    return Json()


def _refuse_pickle() -> None:
    """A database row may say that its data are pickled; a project folder from a stranger must not run code."""
    from dbos._serialization import DefaultSerializer

    def refuse(_: object, __: str) -> Any:
        raise RunError("the database of runs holds pickled data, which are never read; remove .tuneloop/runs.db")

    # DBOS offers no switch for this.
    DefaultSerializer.deserialize = refuse  # type: ignore[method-assign, assignment]

"""One leader at a time among the loops of a model that share a PostgreSQL; the others wait, and one of them follows.

The leader holds an advisory lock of the database, on a connection that does nothing else. The lock is gone when the
connection is: when the process ends, however it ends, and within half a minute after its host has vanished. A leader
that cannot reach the database any more stops leading, waits like the others, and may lead again.

Between the end of a lock and the moment its holder notices, two may believe that they lead. Neither can begin a second
run then: an index of the database refuses it, see `records`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import sqlalchemy as sa

from tuneloop.api import ServingError, TuneloopError
from tuneloop.monitoring.postgres import check_version, in_words, postgres_options, without_password

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks at the lock, of a leader and of those who wait."""
_SERVER_SIDE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""After 25 s without a sign of life the database ends the session of a host that has vanished, and its lock."""


class Leadership:
    """The lock of one model's loop on a PostgreSQL.

    Args:
        url: The database of the loop's records.
        model: The project's name.
    """

    def __init__(self, url: str, model: str) -> None:
        options = postgres_options(url)
        arguments = {"options": _SERVER_SIDE, **options["connect_args"]}
        self._engine = sa.create_engine(
            url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", **{**options, "connect_args": arguments}
        )
        self._url, self._name = url, f"tuneloop-leader-{model}"
        self._connection: sa.Connection | None = None

    def take(self) -> bool:
        """Try to become the leader.

        Raises:
            TuneloopError: The database cannot be reached, or is too old.
        """
        try:
            connection = self._engine.connect()
            try:
                check_version(self._engine.dialect.server_version_info)
                taken = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(sa.func.hashtext(self._name)))))
            except BaseException:
                connection.close()
                raise
        except (sa.exc.SQLAlchemyError, ServingError) as error:
            where = without_password(self._url)
            raise TuneloopError(f"the loop's database {where} cannot be used: {in_words(error)}") from error
        if not taken:
            connection.close()
            return False
        self._connection = connection
        return True

    def held(self) -> bool:
        """Whether the connection that holds the lock is alive."""
        if self._connection is None:
            return False
        try:
            self._connection.scalar(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError as error:
            logger.warning("the loop has lost its database, and leads no more: %s", in_words(error))
            return False
        return True

    def release(self) -> None:
        """Let another one lead."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # At once, as the end of the session may be noticed a moment later; which it is in any case.
        with suppress(sa.exc.SQLAlchemyError), connection:
            connection.execute(sa.text("SELECT pg_advisory_unlock_all()"))


def lead(
    leadership: Leadership,
    asked: threading.Event,
    work: Callable[[threading.Event], None],
    waiting: Callable[[], AbstractContextManager[object]],
    look: float = LOOK_SECONDS,
) -> None:
    """Wait for the turn to lead and do the work of a leader; again where the lock was lost, until asked to end.

    Args:
        leadership: The lock.
        asked: Set when the loop is asked to end.
        work: Leads until the event it is given is set.
        waiting: Entered while another one leads, or the database is away.
        look: Seconds between two looks at the lock.

    Raises:
        TuneloopError: The database cannot be used from the start.
    """
    taken = leadership.take()
    while True:
        if not taken:
            with waiting():
                while not taken and not asked.wait(look):
                    taken = _take_again(leadership)
        if asked.is_set():
            leadership.release()
            return
        over, lost = threading.Event(), threading.Event()
        try:
            with _watched(leadership, asked, over, lost, look):
                work(over)
        except Exception:
            # Without its database it cannot end in order either.
            if leadership.held():
                raise
            lost.set()
            logger.warning("the loop stops leading", exc_info=True)
        finally:
            leadership.release()
        if not lost.is_set():
            return
        taken = False


def _take_again(leadership: Leadership) -> bool:
    try:
        return leadership.take()
    except TuneloopError as error:
        logger.warning("%s", error)
        return False


@contextmanager
def _watched(
    leadership: Leadership, asked: threading.Event, over: threading.Event, lost: threading.Event, look: float
) -> Iterator[None]:
    """Look at the lock in a thread of its own, and end the term when it is lost, or the loop is asked to end."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(look):
            if asked.is_set():
                over.set()
                return
            if not leadership.held():
                lost.set()
                over.set()
                return

    thread = threading.Thread(target=run, name="tuneloop-leader", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

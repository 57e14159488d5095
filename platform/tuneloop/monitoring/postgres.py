"""PostgreSQL as a place for records: reached within seconds, recent enough, and its refusals in plain words.

The prediction store, the records of the loop and the durable workflows all come through here, so that one mistake is
told in the same words everywhere.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tuneloop.api import ServingError

OLDEST = 13
"""The oldest major version that is tested for; older ones have not been maintained since 2024."""
CONNECT_SECONDS = 5
"""For a connection to be made: a host that is not there would else be waited for by the system, for minutes."""
_ALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""Seconds, and milliseconds, after which a connection to a host that has vanished counts as lost."""

_SAID = {
    "password authentication failed": "the user or the password is wrong",
    "no password supplied": "a password is asked for, and the URL holds none",
    "no pg_hba.conf entry": "the server does not let this user in from this host (pg_hba.conf)",
    "connection refused": "nobody listens at that address",
    "timeout expired": f"the host does not answer within {CONNECT_SECONDS} s",
    "connection timeout": f"the host does not answer within {CONNECT_SECONDS} s",
    "failed to resolve": "the name of the host is not known",
    "could not translate host name": "the name of the host is not known",
    "permission denied": "the user may not create or use tables there; "
    "give it the right: GRANT USAGE, CREATE ON SCHEMA public TO the_user",
    "must be owner": "the tables there belong to another user",
    "read-only transaction": "the database takes no writes; name the primary server, not a replica",
    "too many": "the server has no free connections",
}
"""Words of the server, in lower case, and what they mean for the reader."""

_FOR_A_PERSON = ("authentication failed", "no password supplied", "pg_hba.conf", "read-only")
"""Words of refusals that no waiting ends."""


def is_postgres(url: str) -> bool:
    """Whether a SQLAlchemy URL names a PostgreSQL."""
    return url.startswith("postgres")


def postgres_options(url: str) -> dict[str, Any]:
    """Keyword arguments for `sqlalchemy.create_engine`; what the URL says itself comes first."""
    if not is_postgres(url):
        return {}
    said = sa.make_url(url).query
    wanted = {"connect_timeout": CONNECT_SECONDS, **_ALIVE}
    arguments = {name: value for name, value in wanted.items() if name not in said}
    # A connection that broke while it lay in the pool is replaced before it is used.
    return {"pool_pre_ping": True, "connect_args": arguments}


def check_version(found: tuple[int | str, ...] | None) -> None:
    """Refuse a server that is too old.

    Args:
        found: `Dialect.server_version_info`, such as `(15, 18)`.

    Raises:
        ServingError: It is.
    """
    if found is not None and int(found[0]) < OLDEST:
        shown = ".".join(map(str, found))
        raise ServingError(f"it is PostgreSQL {shown}; version {OLDEST} or newer is needed")


def check_database(url: str) -> None:
    """Connect once to a PostgreSQL and look at its version; a URL of another database is left alone.

    Raises:
        SQLAlchemyError: It cannot be reached; `in_words` says why.
        ServingError: It is too old.
    """
    if not is_postgres(url):
        return
    engine = sa.create_engine(url, **postgres_options(url))
    try:
        with engine.connect():
            check_version(engine.dialect.server_version_info)
    finally:
        engine.dispose()


def in_words(error: BaseException) -> str:
    """Why a database cannot be used, in one sentence; the words of the database where no others are known."""
    original = getattr(error, "orig", None) or error
    said = " ".join(str(original).split())
    if isinstance(error, sa.exc.NoSuchModuleError | ImportError):
        return f"{said}. For PostgreSQL: pip install 'tuneloop[postgres]', and begin the URL with postgresql+psycopg://"
    if "database" in said and "does not exist" in said and "role" not in said:
        return f"there is no such database ({said}); create it with createdb"
    meant = next((text for words, text in _SAID.items() if words in said.lower()), None)
    return f"{meant} ({said})" if meant else said


def may_pass(error: BaseException) -> bool:
    """Whether what keeps a PostgreSQL from being used may end by itself: nobody answers there, or not now.

    A wrong password, a database that does not exist or a right that is missing wait for a person.
    """
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return False
    said = str(error.orig).lower()
    return not ("does not exist" in said or any(words in said for words in _FOR_A_PERSON))


def without_password(url: str) -> str:
    """A URL as it may be shown and logged."""
    try:
        return sa.make_url(url).difference_update_query(["password"]).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return url.partition(":")[0] + ":..."

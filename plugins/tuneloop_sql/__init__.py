"""The data source that asks a database, by any SQLAlchemy URL."""

from __future__ import annotations

from tuneloop.api import DataSource, hookimpl
from tuneloop_sql.source import Sql

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_data_sources() -> list[type[DataSource]]:
    """The data source of this folder."""
    return [Sql]

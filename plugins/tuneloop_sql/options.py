"""What a project says of a database."""

from __future__ import annotations

import re

import pydantic


class SqlOptions(pydantic.BaseModel):
    """Options of data source `sql`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    url: str | None = pydantic.Field(
        None,
        min_length=1,
        description="SQLAlchemy URL, such as `sqlite:///data/desk.db` (relative to the project folder) or "
        "`postgresql+psycopg://me@db.example.com/desk`; a password does not belong here.",
    )
    url_env: str | None = pydantic.Field(
        None, min_length=1, description="Environment variable that holds the URL, in place of `url`."
    )
    query: str | None = pydantic.Field(
        None, min_length=1, description="A SELECT whose rows are read; ORDER BY a key gives the same order each time."
    )
    table: str | None = pydantic.Field(
        None,
        min_length=1,
        description="A table, or `schema.table`: all its rows, in the order of its primary key.",
    )
    batch_rows: int = pydantic.Field(10_000, ge=1, description="Rows that are fetched at a time.")

    @pydantic.model_validator(mode="after")
    def _one_of_each(self) -> SqlOptions:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("one of url and url_env")
        if (self.query is None) == (self.table is None):
            raise ValueError("one of query and table")
        if self.query is not None and not re.match(r"\s*(select|with|values|table)\b", self.query, re.IGNORECASE):
            raise ValueError("a query that reads: SELECT, WITH, VALUES or TABLE")
        return self

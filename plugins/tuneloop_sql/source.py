"""Data source `sql`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import DataError, DataSource, MissingExtraError
from tuneloop_sql.options import SqlOptions
from tuneloop_sql.values import columns_of

if TYPE_CHECKING:
    import sqlalchemy as sa
    from datasets import Dataset

_DRIVERS = {"psycopg": "postgres"}


class Sql(DataSource):
    """The rows of a query or a table, read in a transaction that cannot write.

    Dates and times come as ISO texts, decimals as numbers, as models know numbers and categories only.
    """

    name = "sql"
    Options = SqlOptions

    def load(self, root: Path) -> Dataset:
        """All rows.

        Raises:
            DataError: The database cannot be reached, refuses the query, or has no rows; no message quotes a password.
        """
        try:
            import pyarrow
            import sqlalchemy as sa
            from datasets import Dataset
        except ImportError as error:
            raise MissingExtraError("data source 'sql'", error.name or "sqlalchemy", "train") from error
        url = self._url(root)
        shown = url.render_as_string(hide_password=True)
        try:
            engine = sa.create_engine(url)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise self._absent_driver(url, shown, error) from error
        try:
            tables = [pyarrow.table(columns_of(names, rows)) for names, rows in self._batches(engine)]
            table = pyarrow.concat_tables(tables, promote_options="permissive")
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise DataError(f"data source 'sql': {shown} does not answer {self._asked()}: {cause}") from error
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError) as error:
            raise DataError(f"data source 'sql': {self._asked()} gives a column of mixed types: {error}") from error
        finally:
            engine.dispose()
        if not table.num_rows:
            raise DataError(f"data source 'sql': {self._asked()} gives no rows in {shown}")
        return Dataset(table)

    def _url(self, root: Path) -> sa.URL:
        import sqlalchemy as sa

        text = self.options.url
        if text is None:
            text = os.environ.get(self.options.url_env, "")
            if not text:
                raise DataError(f"data.url_env: the environment variable {self.options.url_env} is not set")
        try:
            url = sa.make_url(text)
        except sa.exc.ArgumentError as error:
            # What it is cannot be quoted: it may hold a password.
            raise DataError(
                "data.url is no SQLAlchemy URL; write it like sqlite:///data/desk.db or postgresql+psycopg://me@host/desk"
            ) from error
        if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:")):
            file = root / url.database
            if not file.is_file():
                raise DataError(f"data.url {text!r}: there is no such file (looked for {file})")
            return url.set(database=str(file))
        return url

    def _absent_driver(self, url: sa.URL, shown: str, error: Exception) -> Exception:
        extra = _DRIVERS.get(url.get_driver_name() if isinstance(error, ImportError) else "")
        if extra is not None:
            return MissingExtraError(f"data source 'sql' with {shown}", str(getattr(error, "name", "")), extra)
        return DataError(f"data source 'sql': {shown} cannot be opened: {error}")

    def _asked(self) -> str:
        return f"table {self.options.table!r}" if self.options.table else f"the query {self.options.query[:120]!r}"

    def _batches(self, engine: sa.Engine) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        """Column names with rows, at least once."""
        import sqlalchemy as sa

        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = ON")
            elif engine.dialect.name in ("postgresql", "mysql", "mariadb"):
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            statement = sa.text(self.options.query) if self.options.query else self._whole_table(connection)
            # The rows come a batch at a time, by a cursor of the server where it has them.
            result = connection.execute(statement, execution_options={"yield_per": self.options.batch_rows})
            names = list(result.keys())
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise DataError(f"{self._asked()} gives more than one column named {', '.join(map(repr, twice))}")
            yield names, []
            for rows in result.partitions():
                yield names, [tuple(row) for row in rows]
            connection.rollback()

    def _whole_table(self, connection: sa.Connection) -> sa.Select[Any]:
        import sqlalchemy as sa

        schema, _, name = str(self.options.table).rpartition(".")
        try:
            table = sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)
        except sa.exc.NoSuchTableError as error:
            known = ", ".join(sa.inspect(connection).get_table_names(schema=schema or None)) or "none"
            raise DataError(f"data.table {self.options.table!r}: there is no such table; known: {known}") from error
        return sa.select(table).order_by(*table.primary_key.columns)

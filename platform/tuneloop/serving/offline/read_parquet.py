"""Reads Parquet as a stream, in batches of rows. Needs pyarrow, which the serving environment is without."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from tuneloop.api import DataError, MissingExtraError
from tuneloop.serving.offline.places import Place, opened
from tuneloop.serving.offline.record import Record, Table, from_arrow

_ROWS = 1024


def require_pyarrow() -> Any:
    """The package `pyarrow`.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("Parquet", "pyarrow", "parquet") from error
    return pyarrow


@contextmanager
def read_parquet(place: Place, wanted: Collection[str] | None) -> Iterator[Table]:
    """Open a Parquet file.

    Args:
        place: The file.
        wanted: The columns that are read; None: all.

    Raises:
        DataError: It is not a whole Parquet file.
        MissingExtraError: pyarrow is not installed.
    """
    pyarrow = require_pyarrow()
    with opened(place) as (content, _):
        try:
            file = pyarrow.parquet.ParquetFile(content)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{place.name} cannot be read as Parquet: {error}") from error
        schema = file.schema_arrow
        names = [name for name in schema.names if wanted is None or name in wanted]
        total, seen = file.metadata.num_rows, 0

        def records() -> Iterator[Record]:
            nonlocal seen
            try:
                for batch in file.iter_batches(_ROWS, columns=names):
                    for values in batch.to_pylist():
                        seen += 1
                        yield Record(place.name, "row", seen, values)
            except (pyarrow.ArrowException, OSError, ValueError) as error:
                raise DataError(f"{place.name} cannot be read after row {seen}: {error}") from error

        yield Table(tuple(schema.names), records(), lambda: seen / total if total else 1.0, from_arrow, schema=schema)

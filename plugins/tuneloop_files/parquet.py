"""Data source `parquet`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuneloop.api import DataError
from tuneloop_files.source import FileSource

_ROWS = 10_000


class Parquet(FileSource):
    """Parquet files; types are as stored."""

    name = "parquet"

    def tables(self, file: Path) -> Iterator[Any]:
        """One file, some rows at a time.

        Raises:
            DataError: It is not a whole Parquet file.
        """
        import pyarrow
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(file) as opened:
                # Notes of other programs (pandas indexes and the like) are no data.
                schema = opened.schema_arrow.remove_metadata()
                for batch in opened.iter_batches(_ROWS):
                    yield pyarrow.Table.from_batches([batch]).replace_schema_metadata(None)
                if not opened.metadata.num_rows:
                    yield schema.empty_table()
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{file} cannot be read as Parquet: {error}") from error

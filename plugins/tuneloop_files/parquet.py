"""Data source `parquet`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.api import DataError
from tuneloop_files.source import FileSource


class Parquet(FileSource):
    """Parquet files; types are as stored."""

    name = "parquet"

    def read(self, file: Path) -> Any:
        """One file.

        Raises:
            DataError: It is not a whole Parquet file.
        """
        from pyarrow import ArrowException, parquet

        try:
            table = parquet.ParquetFile(file).read()
        except (ArrowException, OSError) as error:
            raise DataError(f"{file} cannot be read as Parquet: {error}") from error
        # Notes of other programs (pandas indexes and the like) are no data.
        return table.replace_schema_metadata(None)

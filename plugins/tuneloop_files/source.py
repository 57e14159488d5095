"""What the file sources share: find the files, read each, join them into one table."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from tuneloop.api import DataError, DataSource, MissingExtraError
from tuneloop_files.remote import local_files

if TYPE_CHECKING:
    from datasets import Dataset


class FileOptions(pydantic.BaseModel):
    """Options shared by all file sources."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    path: str = pydantic.Field(
        min_length=1,
        description="A file, relative to the project folder or absolute; a glob such as `data/*.csv` reads every "
        "file it matches, in order of their names. A URL that fsspec reads, such as `s3://bucket/*.csv`, too.",
    )


class FileSource(DataSource):
    """Reads files into one table; all of them have the same columns."""

    Options: ClassVar[type[pydantic.BaseModel]] = FileOptions

    options: Any

    def load(self, root: Path) -> Dataset:
        """All rows of all files.

        Raises:
            DataError: No file, a file that cannot be read, no rows, or files with different columns.
        """
        try:
            import pyarrow
            from datasets import Dataset
        except ImportError as error:
            raise MissingExtraError(f"data source {self.name!r}", error.name or "datasets", "train") from error
        with local_files(root, self.options.path) as files:
            tables = []
            for file in files:
                if file.stat().st_size == 0:
                    raise DataError(f"{file} is empty (0 bytes)")
                tables.append(self.read(file))
            _check_columns(files, tables)
        ordered = [table.select(tables[0].column_names) for table in tables]
        try:
            table = pyarrow.concat_tables(ordered, promote_options="permissive")
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
            raise DataError(f"the files of {self.options.path!r} have columns of different types: {error}") from error
        if table.num_rows == 0:
            names = ", ".join(file.name for file in files)
            raise DataError(f"data.path {self.options.path!r}: there are no rows in {names}")
        return Dataset(table)

    @abstractmethod
    def read(self, file: Path) -> Any:
        """One file as a `pyarrow.Table`."""


def _check_columns(files: list[Path], tables: list[Any]) -> None:
    first = set(tables[0].column_names)
    for file, table in zip(files, tables, strict=True):
        names = set(table.column_names)
        if len(names) < len(table.column_names):
            twice = sorted({name for name in names if table.column_names.count(name) > 1})
            raise DataError(f"{file} has more than one column named {', '.join(map(repr, twice))}")
        if names != first:
            missing, extra = (", ".join(sorted(part)) or "none" for part in (first - names, names - first))
            raise DataError(f"{file} has other columns than {files[0]}: missing {missing}, extra {extra}")

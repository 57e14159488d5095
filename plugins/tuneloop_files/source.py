"""What the file sources share: find the files, read each, join them into one table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from tuneloop.api import DataError, DataSource, MissingExtraError
from tuneloop_files.remote import local_files

if TYPE_CHECKING:
    from datasets import Dataset

_CHUNK = 10_000
"""Rows of one batch of the stored rows."""


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
            import pyarrow  # noqa: F401
            from datasets import Dataset
        except ImportError as error:
            raise MissingExtraError(f"data source {self.name!r}", error.name or "datasets", "train") from error
        with (
            local_files(root, self.options.path) as files,
            tempfile.TemporaryDirectory(prefix="tuneloop-rows-") as aside,
        ):
            stored = Path(aside) / "rows.arrow"
            count = self._store(files, stored)
            if count == 0:
                names = ", ".join(file.name for file in files)
                raise DataError(f"data.path {self.options.path!r}: there are no rows in {names}")
            # Mapped into memory, so that it need not fit; the file itself is gone with the last who maps it.
            return Dataset.from_file(str(stored))

    def _store(self, files: list[Path], target: Path) -> int:
        """Write all rows as one Arrow stream; gives their number."""
        import pyarrow

        schemas = []
        for file in files:
            if file.stat().st_size == 0:
                raise DataError(f"{file} is empty (0 bytes)")
            schemas.append(next(iter(self.tables(file))).schema)
        _check_columns(files, schemas)
        first = schemas[0].names
        try:
            schema = pyarrow.unify_schemas(
                [pyarrow.schema([one.field(name) for name in first]) for one in schemas], promote_options="permissive"
            )
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
            raise DataError(f"the files of {self.options.path!r} have columns of different types: {error}") from error
        count = 0
        with pyarrow.OSFile(str(target), "wb") as sink, pyarrow.ipc.new_stream(sink, schema) as writer:
            for file in files:
                for table in self.tables(file):
                    writer.write_table(table.select(first).cast(schema), max_chunksize=_CHUNK)
                    count += table.num_rows
        return count

    def tables(self, file: Path) -> Iterator[Any]:
        """One file as tables of equal schema, so that it need not fit into memory; by default one."""
        yield self.read(file)

    def read(self, file: Path) -> Any:
        """One file as a `pyarrow.Table`; for a format that cannot be read in parts.

        Raises:
            DataError: It cannot be read.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither tables() nor read()")


def _check_columns(files: list[Path], schemas: list[Any]) -> None:
    first = set(schemas[0].names)
    for file, schema in zip(files, schemas, strict=True):
        names = set(schema.names)
        if len(names) < len(schema.names):
            twice = sorted({name for name in names if schema.names.count(name) > 1})
            raise DataError(f"{file} has more than one column named {', '.join(map(repr, twice))}")
        if names != first:
            missing, extra = (", ".join(sorted(part)) or "none" for part in (first - names, names - first))
            raise DataError(f"{file} has other columns than {files[0]}: missing {missing}, extra {extra}")

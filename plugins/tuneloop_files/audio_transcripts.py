"""Data source `audio-transcripts`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pydantic

from tuneloop.api import DataError
from tuneloop_files.csv import Csv
from tuneloop_files.jsonl import Jsonl
from tuneloop_files.parquet import Parquet
from tuneloop_files.source import FileOptions, FileSource

COLUMN = "audio"
_READERS: dict[str, type[FileSource]] = {
    ".jsonl": Jsonl,
    ".ndjson": Jsonl,
    ".csv": Csv,
    ".tsv": Csv,
    ".parquet": Parquet,
}


class AudioTranscriptsOptions(FileOptions):
    """Options of data source `audio-transcripts`."""

    path: str = pydantic.Field(
        min_length=1,
        description="A table (.jsonl, .csv, .tsv, these also with .gz, or .parquet) with a row a sound, relative to "
        "the project folder or absolute; a glob such as `data/*.jsonl` reads every table it matches.",
    )
    delimiter: str | None = pydantic.Field(
        None, min_length=1, max_length=1, description="What separates the values of a .csv; by default a comma."
    )
    file: str = pydantic.Field("file", min_length=1, description="The column that names the sound file of a row.")
    folder: str | None = pydantic.Field(
        None, description="Where the sound files are, relative to the project folder; by default beside the table."
    )


class AudioTranscripts(FileSource):
    """Sound files with what is said in them: the columns of a table, and `audio` (base64 of the file that it names)."""

    name = "audio-transcripts"
    Options: ClassVar[type[pydantic.BaseModel]] = AudioTranscriptsOptions

    options: AudioTranscriptsOptions
    _folder: Path | None = None

    def load(self, root: Path) -> Any:
        """All rows of all tables, in their order; the sounds are read, and not decoded here.

        Raises:
            DataError: A table or a sound file cannot be read; names the row.
        """
        if "://" in self.options.path and self.options.folder is None:
            raise DataError(
                f"data.path {self.options.path!r} is a URL; say where the sound files are on this machine: data.folder"
            )
        self._folder = None if self.options.folder is None else root / Path(self.options.folder).expanduser()
        return super().load(root)

    def tables(self, file: Path) -> Iterator[Any]:
        """One table, with a sound in each row."""
        import pyarrow

        reader = self._reader(file)
        folder, done = self._folder or file.parent, 0
        for table in reader.tables(file):
            if self.options.file not in table.column_names:
                raise DataError(
                    f"{file} has no column {self.options.file!r} (option `file`); it has: "
                    f"{', '.join(table.column_names)}"
                )
            if COLUMN in table.column_names and self.options.file != COLUMN:
                raise DataError(f"{file} has a column {COLUMN!r} already: rename it, the sounds go there")
            names = table[self.options.file].to_pylist()
            sounds = pyarrow.array([_read(folder, name, file, done + row) for row, name in enumerate(names)], "string")
            done += len(names)
            at = table.column_names.index(COLUMN) if COLUMN in table.column_names else -1
            yield table.set_column(at, COLUMN, sounds) if at >= 0 else table.append_column(COLUMN, sounds)

    def _reader(self, file: Path) -> FileSource:
        """What reads one table, by the end of its name."""
        end = Path(file.stem if file.suffix.lower() == ".gz" else file.name).suffix.lower()
        kind = _READERS.get(end)
        if kind is None or (file.suffix.lower() == ".gz" and kind is Parquet):
            raise DataError(f"{file}: data source {self.name!r} reads tables of these kinds: {', '.join(_READERS)}")
        more = {"delimiter": self.options.delimiter or ("\t" if end == ".tsv" else ",")} if kind is Csv else {}
        return kind(kind.Options(path=str(file), **more))


def _read(folder: Path, name: Any, table: Path, row: int) -> str:
    if not isinstance(name, str) or not name:
        raise DataError(f"{table}, row {row}: {name!r} is no name of a sound file")
    try:
        return base64.b64encode((folder / name).read_bytes()).decode("ascii")
    except OSError as error:
        raise DataError(
            f"{table}, row {row}: the sound file {folder / name} cannot be read: {error.strerror}"
        ) from error

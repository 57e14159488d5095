"""The first rows of a user's data, whatever it is: a file, several, or a folder of pictures or sounds."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Any, TextIO

from tuneloop.api import MissingExtraError, TuneloopError
from tuneloop.cli.guess import SOUND_SUFFIXES

SAMPLE_ROWS = 200
SOURCES = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".tsv": "csv",
}
FOLDERS = {
    "image-folder": (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"),
    "audio-folder": SOUND_SUFFIXES,
}
_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of the data.

    Attributes:
        source: The data source that reads them.
        rows: The first ones; none of a folder.
        delimiter: What separates values, where it is no comma.
    """

    source: str
    rows: tuple[dict[str, Any], ...] = ()
    delimiter: str | None = None


def sample_of(data: Path) -> Sample:
    """A look at a file, the first file of a glob, or a folder with a folder for each label.

    Raises:
        TuneloopError: No data source reads it, it cannot be read, or it holds no rows with columns.
    """
    if data.is_dir():
        return Sample(_folder_source(data))
    file = data
    if has_magic(str(data)) and not data.exists():
        found = sorted(Path(data.anchor).glob(str(data.relative_to(data.anchor))))
        if not found:
            raise TuneloopError(f"{data}: no file has such a name")
        file = found[0]
    suffix = file.suffix.lower()
    if suffix == ".gz":
        suffix = Path(file.stem).suffix.lower()
    source = SOURCES.get(suffix)
    if source is None:
        raise TuneloopError(
            f"{data}: no data source for {suffix or 'no suffix'!r}. Known: {', '.join(SOURCES)}, and folders"
        )
    rows = tuple(read_sample(file, source))
    return Sample(source, rows, _other_delimiter(file) if source == "csv" else None)


def read_sample(path: Path, source: str) -> list[dict[str, Any]]:
    """The first rows of a file.

    Raises:
        TuneloopError: It cannot be read, or holds no rows with columns.
    """
    try:
        rows = _READERS[source](path)
    except FileNotFoundError as error:
        raise TuneloopError(f"{path}: there is no such file") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TuneloopError(f"{path}: this file cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise TuneloopError(f"{path}: this is not {source}: {error}") from error
    if not rows or not all(isinstance(row, dict) and row for row in rows):
        raise TuneloopError(f"{path}: no rows with named columns were found")
    return rows


def _folder_source(folder: Path) -> str:
    below = itertools.islice((path.suffix.lower() for path in folder.glob("*/**/*") if path.is_file()), SAMPLE_ROWS)
    found = list(below)
    counts = {source: sum(suffix in suffixes for suffix in found) for source, suffixes in FOLDERS.items()}
    source = max(counts, key=lambda name: counts[name])
    if not counts[source]:
        raise TuneloopError(
            f"{folder}: this folder holds no folder of pictures or sounds. Expected one folder a label, or a file: "
            f"{', '.join(SOURCES)}"
        )
    return source


def _opened(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _dialect(head: str) -> Any:
    try:
        found = csv.Sniffer().sniff(head, delimiters=",;\t|")
    except csv.Error:
        return csv.excel
    # Signs of running text are taken for a delimiter too; one that separates names of columns is one.
    return found if found.delimiter in head.partition("\n")[0] else csv.excel


def _other_delimiter(path: Path) -> str | None:
    with _opened(path) as file:
        delimiter: str = _dialect(file.read(_HEAD)).delimiter
    return None if delimiter == "," else delimiter


def _read_csv(path: Path) -> list[dict[str, Any]]:
    with _opened(path) as file:
        dialect = _dialect(file.read(_HEAD))
        file.seek(0)
        rows: Iterable[dict[str, Any]] = csv.DictReader(file, dialect=dialect)
        return [{k: v for k, v in row.items() if k} for row in itertools.islice(rows, SAMPLE_ROWS)]


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    with _opened(path) as file:
        return [json.loads(line) for line in itertools.islice(filter(str.strip, file), SAMPLE_ROWS)]


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "pyarrow", "train") from error
    path.stat()
    batches = pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=SAMPLE_ROWS)
    rows: list[dict[str, Any]] = next(iter(batches)).to_pylist()
    return rows


_READERS = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}

"""Data source `csv`."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import DataError
from tuneloop_files.source import FileOptions, FileSource

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?")
_BLOCK = 16 << 20
"""Bytes that are parsed at a time, about."""


class CsvOptions(FileOptions):
    """Options of data source `csv`."""

    delimiter: str = pydantic.Field(
        ",", min_length=1, max_length=1, description="What separates values: `,` `;` `\\t`."
    )
    missing: tuple[str, ...] = pydantic.Field(_MISSING, description="Texts that mean: no value.")


class Csv(FileSource):
    """Files of separated values with a header line, UTF-8, plain or `.gz`; quoted values may hold line breaks."""

    name = "csv"
    Options = CsvOptions

    def tables(self, file: Path) -> Iterator[Any]:
        """One file, a part at a time; a column's type follows from all of its values.

        Raises:
            DataError: The text is not UTF-8, or a line has another number of values than the header.
        """
        import pyarrow

        try:
            types, sizes = self._examined(file)
            for block in _again(file, sizes):
                yield self._parse(block, types)
        except (OSError, EOFError) as error:
            raise DataError(f"{file} cannot be read: {error}") from error
        except pyarrow.ArrowInvalid as error:
            raise DataError(
                f"{file} is not a table of values separated by {self.options.delimiter!r}: {error}"
            ) from error

    def _examined(self, file: Path) -> tuple[dict[str, Any], list[int]]:
        """The type of each column, and the sizes in bytes of the header and of the parts; a file is read for it once.

        The last line may turn a column of numbers into one of texts, so that nothing is known before.
        """
        import pyarrow

        seen: dict[Path, tuple[dict[str, Any], list[int]]] = self.__dict__.setdefault("_seen", {})
        if file not in seen:
            found: dict[str, set[Any]] = {}
            sizes: list[int] = []
            for head, block in self._blocks(file):
                sizes = [*(sizes or [len(head)]), len(block)]
                for field in self._parse(head + block, {}).schema:
                    found.setdefault(field.name, set()).add(field.type)
            types = {name: _common(kinds) for name, kinds in found.items()}
            for name, kind in types.items():
                if pyarrow.types.is_boolean(kind) and len(found[name]) > 1 and not self._fits(file, sizes, name, kind):
                    types[name] = pyarrow.string()
            seen[file] = types, sizes
        return seen[file]

    def _fits(self, file: Path, sizes: list[int], name: str, kind: Any) -> bool:
        """Whether truth values, of which some are written as 0 and 1, have no other number among them."""
        import pyarrow

        try:
            for block in _again(file, sizes):
                self._parse(block, {name: kind})
        except pyarrow.ArrowInvalid:
            return False
        return True

    def _parse(self, text: bytes, types: dict[str, Any]) -> Any:
        from pyarrow import csv as reader

        # One block, so that types are inferred from all of it and not from the first megabyte.
        return reader.read_csv(
            io.BytesIO(text),
            read_options=reader.ReadOptions(block_size=max(len(text) + 1, 1024)),
            parse_options=reader.ParseOptions(delimiter=self.options.delimiter, newlines_in_values=True),
            convert_options=reader.ConvertOptions(
                null_values=list(self.options.missing), strings_can_be_null=True, column_types=types
            ),
        )

    def _blocks(self, file: Path) -> Iterator[tuple[bytes, bytes]]:
        """The header, with each part of the file that ends with a record; every record is counted."""
        lines = _Lines(file)
        records = csv.reader(iter(lines), delimiter=self.options.delimiter)
        try:
            header = next(records, [])
            head = lines.taken()
            rest = False
            for values in records:
                if values and len(values) != len(header):
                    raise DataError(
                        f"{file}, line {records.line_num}: {len(values)} values, but the header has {len(header)} "
                        f"({', '.join(header)}): {self.options.delimiter.join(values)[:80]!r}. Quote values that hold "
                        f"{self.options.delimiter!r}, or set data.delimiter"
                    )
                if lines.held >= _BLOCK:
                    rest = True
                    yield head, lines.taken()
            if lines.held or not rest:
                yield head, lines.taken()
        except csv.Error as error:
            raise DataError(f"{file}, line {records.line_num}: {error}") from error


def _again(file: Path, sizes: list[int]) -> Iterator[bytes]:
    """Each part of a file behind the header, by their sizes."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as stream:
        head = stream.read(sizes[0])
        for size in sizes[1:]:
            yield head + stream.read(size)


class _Lines:
    """The lines of a file as texts; their bytes are held until they are taken."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._parts: list[bytes] = []
        self.held = 0

    def __iter__(self) -> Iterator[str]:
        before = 0
        with gzip.open(self._file, "rb") if self._file.suffix == ".gz" else self._file.open("rb") as stream:
            for line in stream:
                try:
                    text = line.decode("utf-8-sig" if not before else "utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{self._file} is not UTF-8 text (byte {before + error.start}); convert it first"
                    ) from error
                before += len(line)
                self._parts.append(line)
                self.held += len(line)
                # A carriage return alone ends a line too.
                yield from io.StringIO(text, newline="") if "\r" in text[:-2] else (text,)

    def taken(self) -> bytes:
        """What is held, which is held no more."""
        text = b"".join(self._parts)
        self._parts, self.held = [], 0
        return text


def _common(kinds: set[Any]) -> Any:
    """The type of a column whose parts have these: what would be inferred from all of it at once."""
    import pyarrow

    known = {kind for kind in kinds if not pyarrow.types.is_null(kind)}
    # Models know numbers and categories: a date is a text to them, written as it stands in the file.
    known = {pyarrow.string() if pyarrow.types.is_temporal(kind) else kind for kind in known}
    if len(known) <= 1:
        return known.pop() if known else pyarrow.null()
    if known == {pyarrow.int64(), pyarrow.float64()}:
        return pyarrow.float64()
    return pyarrow.bool_() if known == {pyarrow.int64(), pyarrow.bool_()} else pyarrow.string()

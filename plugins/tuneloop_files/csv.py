"""Data source `csv`."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import DataError
from tuneloop_files.source import FileOptions, FileSource

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?")


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

    def read(self, file: Path) -> Any:
        """One file; a column's type follows from all of its values.

        Raises:
            DataError: The text is not UTF-8, or a line has another number of values than the header.
        """
        import pyarrow

        try:
            packed = file.read_bytes()
            text = gzip.decompress(packed) if file.suffix == ".gz" else packed
        except (OSError, EOFError) as error:
            raise DataError(f"{file} cannot be read: {error}") from error
        try:
            self._check_lines(file, text)
            table = self._parse(text, {})
            # Models know numbers and categories: a date is a text to them, written as it stands in the file.
            dates = {field.name: pyarrow.string() for field in table.schema if pyarrow.types.is_temporal(field.type)}
            return self._parse(text, dates) if dates else table
        except pyarrow.ArrowInvalid as error:
            raise DataError(
                f"{file} is not a table of values separated by {self.options.delimiter!r}: {error}"
            ) from error

    def _parse(self, text: bytes, types: dict[str, Any]) -> Any:
        from pyarrow import csv as reader

        # One block, so that a column's type is inferred from all rows and not from the first megabyte.
        return reader.read_csv(
            io.BytesIO(text),
            read_options=reader.ReadOptions(block_size=max(len(text) + 1, 1024)),
            parse_options=reader.ParseOptions(delimiter=self.options.delimiter, newlines_in_values=True),
            convert_options=reader.ConvertOptions(
                null_values=list(self.options.missing), strings_can_be_null=True, column_types=types
            ),
        )

    def _check_lines(self, file: Path, text: bytes) -> None:
        try:
            lines = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), delimiter=self.options.delimiter)
            header = next(lines, [])
            for values in lines:
                if values and len(values) != len(header):
                    raise DataError(
                        f"{file}, line {lines.line_num}: {len(values)} values, but the header has {len(header)} "
                        f"({', '.join(header)}): {self.options.delimiter.join(values)[:80]!r}. Quote values that hold "
                        f"{self.options.delimiter!r}, or set data.delimiter"
                    )
        except UnicodeDecodeError as error:
            raise DataError(f"{file} is not UTF-8 text (byte {error.start}); convert it first") from error
        except csv.Error as error:
            raise DataError(f"{file}, line {lines.line_num}: {error}") from error

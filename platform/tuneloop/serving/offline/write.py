"""Writes rows of the output: a part at a time as bytes, and the parts as one file."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tuneloop.api import DataError
from tuneloop.serving.offline.cells import as_json, as_text


class Writer(ABC):
    """A format of the output. Equal rows give equal bytes."""

    @abstractmethod
    def part(self, rows: Sequence[tuple[Any, ...]]) -> bytes:
        """Some rows.

        Raises:
            DataError: A value cannot be written in this format.
        """

    @abstractmethod
    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """One file of all parts, in order."""


class LineWriter(Writer):
    """A format of lines, whose parts need only stand behind each other; packed, they are members of one gzip file."""

    def __init__(self, names: Sequence[str], *, packed: bool) -> None:
        self.names = tuple(names)
        self._packed = packed

    def part(self, rows: Sequence[tuple[Any, ...]]) -> bytes:
        """See `Writer.part`."""
        return self._pack("".join(map(self.line, rows)))

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """See `Writer.join`."""
        head = self.head()
        if head:
            target.write(self._pack(head))
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, target)

    def _pack(self, text: str) -> bytes:
        try:
            content = text.encode()
        except UnicodeEncodeError as error:
            near = text[max(error.start - 40, 0) : error.start]
            raise DataError(f"a value holds half a surrogate, which is no text, after {near!r}") from error
        # No time in the packed bytes: equal rows must give equal files.
        return gzip.compress(content, mtime=0) if self._packed else content

    @abstractmethod
    def line(self, row: tuple[Any, ...]) -> str:
        """One row, with its line end."""

    def head(self) -> str:
        """What stands before all rows."""
        return ""


class CsvWriter(LineWriter):
    """CSV with a header; a missing value is empty, numbers are written so that reading gives the same bits."""

    def __init__(self, names: Sequence[str], *, packed: bool, delimiter: str) -> None:
        super().__init__(names, packed=packed)
        self._delimiter = delimiter

    def line(self, row: tuple[Any, ...]) -> str:
        """See `LineWriter.line`."""
        text = io.StringIO(newline="")
        # The writer quotes the line breaks that end its own lines, and no others.
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerow(map(as_text, row))
        return text.getvalue()[:-2] + "\n"

    def head(self) -> str:
        """The names of the columns."""
        return self.line(self.names)


class JsonlWriter(LineWriter):
    """One flat JSON object a line."""

    def line(self, row: tuple[Any, ...]) -> str:
        """See `LineWriter.line`."""
        values = dict(zip(self.names, map(as_json, row), strict=True))
        return json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n"

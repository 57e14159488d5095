"""Reads CSV as a stream: a header line, then records; quoted values may hold line breaks."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeAlias

from tuneloop.api import DataError
from tuneloop.serving.offline.places import Place, opened
from tuneloop.serving.offline.record import Record, Table, from_text

_Lines: TypeAlias = Any
"""What `csv.reader` gives; its class has no public name."""

_MOST_CHARACTERS = 1 << 24
"""Of one value: a quote that is never closed would read the rest of the file as one."""


@contextmanager
def read_csv(place: Place, delimiter: str) -> Iterator[Table]:
    """Open a CSV file, UTF-8, plain or packed.

    Raises:
        DataError: It has no header or one with a name twice; while reading: it is not UTF-8, or cut off.
    """
    csv.field_size_limit(max(_MOST_CHARACTERS, csv.field_size_limit()))
    with opened(place) as (content, raw), io.TextIOWrapper(content, encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text, delimiter=delimiter)
        with _explained(place.name, lines):
            header = next(lines, None)
        if not header:
            raise DataError(f"{place.name} has no header line with the names of its columns")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise DataError(f"{place.name} has more than one column named {', '.join(map(repr, twice))}")
        yield Table(tuple(header), _records(place.name, lines, header), lambda: _done(raw, place), from_text)


def _records(name: str, lines: _Lines, header: list[str]) -> Iterator[Record]:
    width = len(header)
    line = lines.line_num + 1
    with _explained(name, lines):
        for values in lines:
            if len(values) == width:
                yield Record(name, "line", line, dict(zip(header, values, strict=True)))
            elif values:
                reason = f"{len(values)} values, but the header has {width} ({', '.join(header)})"
                yield Record(name, "line", line, {}, reason, ",".join(values)[:1000])
            line = lines.line_num + 1


@contextmanager
def _explained(name: str, lines: _Lines) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text (after line {lines.line_num}); convert it first") from error
    except csv.Error as error:
        raise DataError(f"{name}, line {lines.line_num}: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} cannot be read after line {lines.line_num}: {error}") from error


def _done(raw: BinaryIO, place: Place) -> float:
    return min(raw.tell() / place.size, 1.0) if place.size and not raw.closed else 1.0

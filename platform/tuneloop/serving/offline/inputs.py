"""All records of all input files, in order, in windows of a fixed number of rows."""

from __future__ import annotations

import contextlib
import difflib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tuneloop.api import Column, DataError, Row
from tuneloop.serving.offline.formats import Format, delimiter_of, format_of
from tuneloop.serving.offline.places import Place
from tuneloop.serving.offline.read_csv import read_csv
from tuneloop.serving.offline.read_jsonl import read_jsonl
from tuneloop.serving.offline.read_parquet import read_parquet
from tuneloop.serving.offline.record import Record, Table


@dataclass(frozen=True, slots=True)
class Window:
    """Records that are scored and written together.

    Attributes:
        first: The number of its first record among all, from 1.
        records: As the files have them.
        rows: What the model is asked for each; None for a broken record.
        done: How much of all input was read with it, 0 to 1.
    """

    first: int
    records: tuple[Record, ...]
    rows: tuple[Row | None, ...]
    done: float


@dataclass(frozen=True, slots=True)
class Inputs:
    """Input files and what is read of them.

    Attributes:
        places: The files.
        columns: The columns of the model.
        kept: The columns that go to the output; None: all.
        format: The format of every file; None: by its suffix.
        delimiter: Of CSV files; None: by the suffix.
    """

    places: Sequence[Place]
    columns: Sequence[Column]
    kept: tuple[str, ...] | None
    format: Format | None = None
    delimiter: str | None = None

    def open(self, place: Place) -> contextlib.AbstractContextManager[Table]:
        """Open one file.

        Raises:
            DataError: It cannot be read.
        """
        found = format_of(place.name, self.format, "--format")
        if found == "csv":
            return read_csv(place, delimiter_of(place.name, self.delimiter))
        if found == "jsonl":
            return read_jsonl(place)
        needed = None if self.kept is None else {*self.kept, *(column.name for column in self.columns)}
        return read_parquet(place, needed)

    def windows(self, size: int, skip: int = 0) -> Iterator[Window]:
        """Windows of `size` records; the last one may hold fewer.

        Args:
            size: Records of a window.
            skip: How many windows are passed over.

        Raises:
            DataError: A file cannot be read, or lacks a column.
        """
        names = [column.name for column in self.columns]
        found = itertools.islice(self._records(), skip * size, None)
        first = skip * size + 1
        while part := list(itertools.islice(found, size)):
            rows: list[Row | None] = []
            for record, table, _ in part:
                values = record.values
                if record.broken:
                    rows.append(None)
                else:
                    rows.append({n: table.value(values.get(n), c) for n, c in zip(names, self.columns, strict=True)})
            yield Window(first, tuple(record for record, _, _ in part), tuple(rows), self._done(*part[-1][1:]))
            first += len(part)

    def check(self, place: Place, table: Table) -> None:
        """Refuse a file without a column of the model, or one that is kept.

        Raises:
            DataError: Names the columns and those there are.
        """
        if table.open_columns and not table.columns:
            return
        for names, what in ((tuple(c.name for c in self.columns), "the model"), (self.kept or (), "--keep")):
            for name in names:
                if name not in table.columns:
                    near = difflib.get_close_matches(name, table.columns, n=1)
                    guess = f" Did you mean {near[0]!r}?" if near and what == "--keep" else ""
                    seen = " in its first records" if table.open_columns else ""
                    raise DataError(
                        f"{place.name} has no column {name!r}{seen}, which {what} asks for.{guess} "
                        f"It has: {', '.join(table.columns)}"
                    )

    def _records(self) -> Iterator[tuple[Record, Table, int]]:
        for number, place in enumerate(self.places):
            with self.open(place) as table:
                self.check(place, table)
                for record in table.records:
                    yield record, table, number

    def _done(self, table: Table, number: int) -> float:
        """By bytes, or by files where a store does not say how large they are."""
        sizes = [place.size or 1 for place in self.places]
        return (sum(sizes[:number]) + sizes[number] * table.done()) / sum(sizes)

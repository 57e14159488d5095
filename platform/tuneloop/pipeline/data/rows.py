"""Rows of a data set as requests see them, and what identifies their content."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Columns, DataError, Row
from tuneloop.artifact import canonical_json
from tuneloop.plugins import nearest

if TYPE_CHECKING:
    from datasets import Dataset

    from tuneloop.config import Project

_BATCH = 1000


def resolve_columns(project: Project, names: Sequence[str]) -> Columns:
    """The roles of the columns; a table that names no inputs uses all but the target and those that split it.

    Raises:
        DataError: The project names a column that the data lack.
    """
    wanted = project.data.columns
    split = project.data.split
    said = {"license_column": project.card.license_column, "consent_column": project.card.consent_column}
    key, aside = split.key, (wanted.target, wanted.key, split.key, split.group, split.time, *said.values())
    inputs = dict(wanted.inputs) or {n: n for n in names if n not in aside}
    # A table's columns have no roles: they are listed, as `inputs`.
    named = {column: "data.columns" if role == column else f"data.columns.{role}" for role, column in inputs.items()}
    if wanted.target is not None:
        named[wanted.target] = "the answer in data.columns"
    for part in ("key", "group", "time"):
        if (column := getattr(split, part)) is not None:
            named[column] = f"data.split.{part}"
    named |= {column: f"card.{part}" for part, column in said.items() if column is not None}
    for column in project.gate.proof.slices or ():
        named.setdefault(column, "gate.champion.slices")
    absent = {column: place for column, place in named.items() if column not in names}
    if absent:
        listed = ", ".join(f"{column!r} ({place})" for column, place in absent.items())
        meant = nearest(next(iter(absent)), names) if len(absent) == 1 else ""
        raise DataError(f"the data lack the column {listed}.{meant} They have: {', '.join(names)}")
    if wanted.target is None:
        raise DataError("training needs a column with the right answers: name it as `label` in data.columns")
    return Columns(inputs, wanted.target, key)


def input_names(columns: Columns) -> tuple[str, ...]:
    """The columns a request has."""
    return tuple(columns.inputs.values())


def model_rows(rows: Dataset, columns: Columns) -> list[Row]:
    """The rows as requests: input columns only, plain values, a missing number as None."""
    names = input_names(columns)
    selected = rows.select_columns(list(names))
    return [{name: plain(row[name]) for name in names} for row in selected]


def truths(rows: Dataset, columns: Columns) -> list[Any]:
    """The reference answers, in row order."""
    return list(rows[columns.target]) if columns.target is not None else []


class StoredRows(Sequence[Row]):
    """The rows of a data set that stays on disk: read in batches where they are gone through, one column or all.

    Args:
        data: Memory-mapped.
        places: Positions of the rows meant, ascending; None: all.
    """

    def __init__(self, data: Dataset, places: Sequence[int] | NDArray[np.int64] | None = None) -> None:
        self._data = data
        self._places = None if places is None else np.asarray(places, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._data) if self._places is None else len(self._places)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if isinstance(place, slice):
            chosen = np.arange(len(self._data)) if self._places is None else self._places
            return StoredRows(self._data, chosen[place])
        row: Row = self._data[place if self._places is None else int(self._places[place])]
        return row

    def __iter__(self) -> Iterator[Row]:
        return self._read(self._data)

    def column(self, name: str) -> Iterator[Any]:
        """The values of one column, without the others being read."""
        return (row[name] for row in self._read(self._data.select_columns([name])))

    def _read(self, data: Dataset) -> Iterator[Row]:
        for start in range(0, len(data), _BATCH):
            stop = min(start + _BATCH, len(data))
            if self._places is None:
                wanted: Sequence[int] = range(stop - start)
            else:
                low, high = np.searchsorted(self._places, (start, stop))
                wanted = (self._places[low:high] - start).tolist()
            if not wanted:
                continue
            batch = data[start:stop]
            names = list(batch)
            for i in wanted:
                yield {name: batch[name][i] for name in names}


def column(rows: Sequence[Row], name: str) -> Iterator[Any]:
    """The values of one column, in row order."""
    return rows.column(name) if isinstance(rows, StoredRows) else (row[name] for row in rows)


def digests(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.bytes_]:
    """16 bytes a row, equal where rows have the same content (`normalised`); BLAKE2b, so by chance never."""
    found = np.empty(len(rows), dtype="S17")
    for i, row in enumerate(rows):
        content = normalised(row, names).encode("utf-8", "surrogatepass")
        # NumPy drops zeros at the end.
        found[i] = hashlib.blake2b(content, digest_size=16).digest() + b"."
    return found


def plain(value: Any) -> Any:
    """The value; None for a missing number (NaN)."""
    return None if isinstance(value, float) and value != value else value


def normalised(row: Row, names: Sequence[str]) -> str:
    """What makes two rows the same content: case and white space of texts aside."""
    values = [row[name] for name in names]
    return canonical_json([_normal(value) for value in values]).decode()


def _normal(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, str):
        return " ".join(value.casefold().split())
    # Infinity has no JSON; what may not hold it says so later, by the name of the column.
    as_it_is = isinstance(value, int | bool | None) or (isinstance(value, float) and math.isfinite(value))
    return value if as_it_is else str(value)


def content_fingerprint(rows: Dataset) -> str:
    """SHA-256 of names, types and all values, in order; where they lie does not matter."""
    digest = hashlib.sha256(canonical_json([[name, str(kind)] for name, kind in rows.features.items()]))
    for batch in _batches(rows):
        for name in sorted(batch):
            digest.update(repr(batch[name]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _batches(rows: Dataset) -> Iterator[dict[str, list[Any]]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def open_rows(folder: Path) -> Dataset:
    """Rows that an earlier step wrote, mapped into memory."""
    from datasets import load_from_disk

    return load_from_disk(str(folder))


def write_rows(rows: Dataset, folder: Path) -> None:
    """Write rows as Arrow files."""
    from datasets.utils import disable_progress_bars

    disable_progress_bars()
    rows.save_to_disk(str(folder))

"""Writes the output as Parquet. Needs pyarrow."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tuneloop.api import DataError
from tuneloop.serving.offline.cells import as_json
from tuneloop.serving.offline.layout import Kind, Layout
from tuneloop.serving.offline.read_parquet import require_pyarrow
from tuneloop.serving.offline.record import Table
from tuneloop.serving.offline.write import Writer

_TYPES: dict[Kind, str] = {"text": "string", "truth": "bool_", "whole": "int64", "number": "float64", "json": "string"}


class ParquetWriter(Writer):
    """Parquet with one row group a part. Types of kept columns are those of the first input file."""

    def __init__(self, layout: Layout, first: Table) -> None:
        self._arrow = require_pyarrow()
        types = [_kept_type(self._arrow, first, name) for name in layout.kept] or [self._arrow.int64()]
        types += [getattr(self._arrow, _TYPES[field.kind])() for field in layout.fields]
        self._schema = self._arrow.schema(list(zip(layout.names, types, strict=True)))
        start = len(types) - len(layout.fields)
        self._json = {start + i for i, field in enumerate(layout.fields) if field.kind == "json"}

    def part(self, rows: Sequence[tuple[Any, ...]]) -> bytes:
        """See `Writer.part`."""
        arrays = []
        for place, field in enumerate(self._schema):
            values = [row[place] for row in rows]
            if place in self._json:
                values = [None if v is None else json.dumps(as_json(v), ensure_ascii=False) for v in values]
            try:
                arrays.append(self._arrow.array(values, type=field.type))
            except (self._arrow.ArrowInvalid, self._arrow.ArrowTypeError, OverflowError, UnicodeEncodeError) as error:
                raise DataError(
                    f"column {field.name!r} holds a value that is no {field.type}, as those of the first records are: "
                    f"{error}; write JSON lines, or keep other columns"
                ) from error
        content = io.BytesIO()
        table = self._arrow.Table.from_arrays(arrays, schema=self._schema)
        self._arrow.parquet.write_table(table, content)
        return content.getvalue()

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """See `Writer.join`."""
        with self._arrow.parquet.ParquetWriter(target, self._schema) as writer:
            for part in parts:
                writer.write_table(self._arrow.parquet.ParquetFile(part).read())


def _kept_type(arrow: Any, first: Table, name: str) -> Any:
    if first.schema is not None:
        return first.schema.field(name).type
    if not first.head:
        return arrow.string()
    try:
        found = arrow.array([record.values.get(name) for record in first.head]).type
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, OverflowError) as error:
        raise DataError(
            f"column {name!r} holds values of several types, so it cannot be kept in Parquet: {error}; write JSON lines"
        ) from error
    return arrow.string() if arrow.types.is_null(found) else found

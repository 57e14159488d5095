from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tuneloop.api import DataError
from tuneloop.serving.offline.layout import Field, Layout
from tuneloop.serving.offline.record import Record, Table, from_json
from tuneloop.serving.offline.write_parquet import ParquetWriter

FIELDS = (Field(("label",), "text"), Field(("value",), "number"), Field(("near",), "json"))


def first(*values: object, schema: object = None) -> Table:
    head = tuple(Record("a", "line", i, {"id": value}) for i, value in enumerate(values))
    return Table(("id",), iter(head), lambda: 0.0, from_json, schema=schema, head=head)


def test_parts_become_row_groups_of_one_file(tmp_path: Path) -> None:
    writer = ParquetWriter(Layout(("id",), FIELDS), first(1, 2))
    (tmp_path / "0").write_bytes(writer.part([(1, "a", 0.5, {"x": 1}), (2, None, None, None)]))
    (tmp_path / "1").write_bytes(writer.part([(3, "b", 1.5, [])]))
    target = io.BytesIO()
    writer.join([tmp_path / "0", tmp_path / "1"], target)
    table = parquet.read_table(target)
    assert table.schema.types == [pa.int64(), pa.string(), pa.float64(), pa.string()]
    assert table.to_pylist()[0] == {"id": 1, "label": "a", "value": 0.5, "near": '{"x": 1}'}
    assert table["id"].to_pylist() == [1, 2, 3]


def test_types_of_kept_columns_are_those_of_the_file() -> None:
    schema = pa.schema([("id", pa.int16())])
    writer = ParquetWriter(Layout(("id",), FIELDS), first(schema=schema))
    assert parquet.read_table(io.BytesIO(writer.part([(1, "a", 0.5, None)]))).schema.field("id").type == pa.int16()


def test_a_value_of_another_type_is_refused() -> None:
    writer = ParquetWriter(Layout(("id",), FIELDS), first(1, None))
    with pytest.raises(DataError, match="column 'id' holds a value that is no int64"):
        writer.part([("x", "a", 0.5, None)])
    with pytest.raises(DataError, match="several types"):
        ParquetWriter(Layout(("id",), FIELDS), first(1, "x"))

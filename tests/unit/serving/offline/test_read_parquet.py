from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tuneloop.api import DataError, MissingExtraError
from tuneloop.serving.offline.places import find_places
from tuneloop.serving.offline.read_parquet import read_parquet


def test_rows_are_read_in_batches_with_the_wanted_columns(tmp_path: Path) -> None:
    table = pa.table({"id": range(3000), "text": ["x"] * 3000, "other": [b"\x00"] * 3000})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=700)
    with read_parquet(find_places([f"{tmp_path}/a.parquet"])[0], {"id", "text"}) as found:
        assert found.columns == ("id", "text", "other")
        assert found.done() == 0.0
        records = list(found.records)
        assert found.done() == 1.0
    assert [record.values["id"] for record in records] == list(range(3000))
    assert records[-1].where.endswith("a.parquet, row 3000")
    assert records[0].values.keys() == {"id", "text"}


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"id": range(1000)}), tmp_path / "a.parquet")
    half = (tmp_path / "a.parquet").read_bytes()[:500]
    (tmp_path / "a.parquet").write_bytes(half)
    with (
        pytest.raises(DataError, match="cannot be read as Parquet"),
        read_parquet(find_places([f"{tmp_path}/a.parquet"])[0], None),
    ):
        pass


def test_without_pyarrow_the_install_line_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'tuneloop\[parquet\]'"),
        read_parquet(find_places([f"{tmp_path}/a.parquet"])[0], None),
    ):
        pass

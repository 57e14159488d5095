"""Files are read in parts, so that they need not fit into memory; nobody can tell by the rows."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow
import pytest
from pyarrow import csv as reader

from tuneloop_files import csv as module
from tuneloop_files.csv import Csv


def test_types_and_rows_do_not_depend_on_the_parts_that_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read in parts of a few bytes is what one parse of everything gives."""
    lines = ["whole,part,mixed,truth,odd,day,empty,text"]
    for i in range(200):
        truth = i % 2 if i < 150 else str(i % 2 == 0).lower()
        odd = truth if i != 170 else 7
        day = f"2024-01-{i % 28 + 1:02d}" if i < 199 else "later"
        quoted = f'"a ""quoted"", text\nof {i} lines é"'
        lines.append(f"{i},{i if i < 120 else i / 3},{i if i < 199 else 'x'},{truth},{odd},{day},,{quoted}")
    for ending in ("\n", "\r\n"):
        text = (ending.join(lines) + ending).encode()
        (tmp_path / "t.csv").write_bytes(text)
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text))
        whole = reader.read_csv(
            io.BytesIO(text),
            read_options=reader.ReadOptions(block_size=len(text) + 1),
            parse_options=reader.ParseOptions(newlines_in_values=True),
            convert_options=reader.ConvertOptions(strings_can_be_null=True, null_values=[""]),
        )
        for size in (1, 100, 5000, 1 << 20):
            monkeypatch.setattr(module, "_BLOCK", size)
            for name in ("t.csv", "t.csv.gz"):
                source = Csv(Csv.Options(path=name, missing=("",)))
                tables = list(source.tables(tmp_path / name))
                assert len(tables) > 1 or size > 5000
                joined = pyarrow.concat_tables(tables)
                assert joined.schema == whole.schema
                assert joined.to_pydict() == whole.to_pydict()

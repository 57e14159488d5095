from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop.serving.offline.places import find_places
from tuneloop.serving.offline.read_csv import read_csv
from tuneloop.serving.offline.record import Record


def read(path: Path, content: bytes, delimiter: str = ",") -> tuple[tuple[str, ...], list[Record]]:
    path.write_bytes(content)
    with read_csv(find_places([str(path)])[0], delimiter) as table:
        records = list(table.records)
        assert table.done() == 1.0
        return table.columns, records


def test_quoted_line_breaks_and_blank_lines_keep_line_numbers_right(tmp_path: Path) -> None:
    columns, records = read(tmp_path / "a.csv", b'\xef\xbb\xbfid,text\r\n1,"two\nlines"\r\n\r\n2,x\r\n')
    assert columns == ("id", "text")
    assert [(r.place, dict(r.values)) for r in records] == [
        (2, {"id": "1", "text": "two\nlines"}),
        (5, {"id": "2", "text": "x"}),
    ]


def test_a_line_of_another_width_is_broken_and_its_neighbours_are_not(tmp_path: Path) -> None:
    _, records = read(tmp_path / "a.csv", b"a;b\n1;2;3\n4;5\n", ";")
    assert [bool(r.broken) for r in records] == [True, False]
    assert records[0].broken == "3 values, but the header has 2 (a, b)"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"a,a\n1,2\n", "more than one column named 'a'"),
        (b"a\n\xff\n", "not UTF-8"),
        (b'a\n"' + b"x" * (1 << 24) + b"x\n", "field larger"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path / "a.csv", content)


def test_a_packed_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"a\n" + b"".join(b"%d\n" % n for n in range(5000)))
    assert len(read(tmp_path / "a.csv.gz", whole)[1]) == 5000
    with pytest.raises(DataError, match="cannot be read after line"):
        read(tmp_path / "a.csv.gz", whole[: len(whole) // 2])


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2), max_size=5))
def test_any_values_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b"], *rows])
    _, records = read(tmp_path_factory.mktemp("csv") / "a.csv", text.getvalue().encode())
    assert [list(record.values.values()) for record in records] == rows

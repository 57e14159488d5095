from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop.serving.offline.write import CsvWriter, JsonlWriter, Writer

ROWS = [("1", 0.1, None), ('q"u,o\nte', 1e-30, True)]


def written(writer: Writer, folder: Path, *parts: list[tuple[object, ...]]) -> bytes:
    paths = []
    for number, rows in enumerate(parts):
        paths.append(folder / f"{number}.part")
        paths[-1].write_bytes(writer.part(rows))
    target = io.BytesIO()
    writer.join(paths, target)
    return target.getvalue()


def test_csv(tmp_path: Path) -> None:
    content = written(CsvWriter(("id", "x", "ok"), packed=False, delimiter=","), tmp_path, ROWS[:1], ROWS[1:])
    assert content == b'id,x,ok\n1,0.1,\n"q""u,o\nte",1e-30,true\n'


def test_packed_parts_are_one_gzip_file_with_equal_bytes(tmp_path: Path) -> None:
    writer = CsvWriter(("id", "x", "ok"), packed=True, delimiter="\t")
    content = written(writer, tmp_path, ROWS[:1], ROWS[1:])
    assert gzip.decompress(content).decode().splitlines()[:2] == ["id\tx\tok", "1\t0.1\t"]
    assert written(writer, tmp_path, ROWS[:1], ROWS[1:]) == content


def test_jsonl(tmp_path: Path) -> None:
    content = written(JsonlWriter(("id", "x", "ok"), packed=False), tmp_path, ROWS, [])
    assert [json.loads(line) for line in content.splitlines()] == [
        {"id": "1", "x": 0.1, "ok": None},
        {"id": 'q"u,o\nte', "x": 1e-30, "ok": True},
    ]


def test_half_a_surrogate_is_refused() -> None:
    with pytest.raises(DataError, match="half a surrogate"):
        JsonlWriter(("a",), packed=False).part([("\ud800",)])


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False)), max_size=5))
def test_numbers_are_read_back_bit_for_bit(rows: list[tuple[float]]) -> None:
    text = CsvWriter(("x",), packed=False, delimiter=",").part(list(rows)).decode()
    assert [float(line[0]).hex() for line in csv.reader(io.StringIO(text))] == [row[0].hex() for row in rows]


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.text('\r\n,";\t')), max_size=5))
def test_texts_are_read_back(rows: list[tuple[str, str]]) -> None:
    text = CsvWriter(("a", "b"), packed=False, delimiter=";").part(list(rows)).decode()
    assert [tuple(line) for line in csv.reader(io.StringIO(text, newline=""), delimiter=";")] == rows

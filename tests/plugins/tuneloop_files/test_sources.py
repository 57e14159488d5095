"""Files in, rows out; and errors that say which file and which line."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop_files import Csv, Jsonl, Parquet


def load(kind, root, path, **options):
    return kind(kind.Options(path=path, **options)).load(root)


def test_csv_types_and_missing_values(tmp_path):
    (tmp_path / "a.csv").write_text('id,text,x\n1,"a, b\nc",0.5\n2,NA,\n3,?,2\n')
    rows = load(Csv, tmp_path, "a.csv")
    assert rows[:] == {"id": [1, 2, 3], "text": ["a, b\nc", None, None], "x": [0.5, None, 2.0]}
    assert load(Csv, tmp_path, "a.csv", missing=("?",))["text"][:] == ["a, b\nc", "NA", None]


def test_csv_delimiter_gzip_and_byte_order_mark(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress("\ufeffid;x\n1;a\n".encode()))
    assert load(Csv, tmp_path, str(tmp_path / "a.csv.gz"), delimiter=";")[:] == {"id": [1], "x": ["a"]}


def test_csv_infers_types_from_all_rows(tmp_path):
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 600_000 + "one\n")
    assert load(Csv, tmp_path, "a.csv")[-1] == {"x": "one"}


def test_csv_line_with_another_number_of_values(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(DataError, match=r"a\.csv, line 3: 3 values, but the header has 2 \(a, b\): '1,2,3'"):
        load(Csv, tmp_path, "a.csv")


def test_csv_that_is_no_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"not UTF-8 text \(byte 2\)"):
        load(Csv, tmp_path, "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(b"plain")
    with pytest.raises(DataError, match=r"a\.csv\.gz cannot be read"):
        load(Csv, tmp_path, "a.csv.gz")


def test_jsonl_globs_are_sorted_and_absent_keys_are_missing(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/b.jsonl").write_text('{"id": 3, "x": "c"}\n')
    (tmp_path / "data/a.jsonl").write_text('{"id": 1}\n\n{"x": "b", "id": 2}\n')
    assert load(Jsonl, tmp_path, "data/*.jsonl")[:] == {"id": [1, 2, 3], "x": [None, "b", "c"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": \n', r"line 2: not valid JSON \(Expecting value at character"),
        ('{"a": 1}\n[1]\n', r"line 2: expected a JSON object, found '\[1\]'"),
        ('{"a": 1}\n{"a": "x"}\n', r"key 'a' holds values .* line 1 has 1 \(int\); line 2 has 'x' \(str\)"),
        ("\n\n", "there are no rows"),
        ("", r"is empty \(0 bytes\)"),
    ],
)
def test_jsonl_errors_name_the_line(tmp_path, text, message):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        load(Jsonl, tmp_path, "a.jsonl")


def test_jsonl_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xff"}\n')
    with pytest.raises(DataError, match=r"line 2: not UTF-8 text \(byte 7 of the line\)"):
        load(Jsonl, tmp_path, "a.jsonl")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:30])
    with pytest.raises(DataError, match=r"a\.jsonl\.gz cannot be read after line"):
        load(Jsonl, tmp_path, "a.jsonl.gz")


def test_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"a": [1, None], "b": ["x", "y"]}), tmp_path / "a.parquet")
    assert load(Parquet, tmp_path, "a.parquet")[:] == {"a": [1, None], "b": ["x", "y"]}
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:50])
    with pytest.raises(DataError, match=r"b\.parquet cannot be read as Parquet"):
        load(Parquet, tmp_path, "b.parquet")


def test_files_with_other_columns(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("y,x\n4,3\n")
    assert load(Csv, tmp_path, "*.csv")[:] == {"x": [1, 3], "y": [2, 4]}
    (tmp_path / "c.csv").write_text("x,z\n1,2\n")
    with pytest.raises(DataError, match=r"c\.csv has other columns than .*a\.csv: missing y, extra z"):
        load(Csv, tmp_path, "*.csv")
    (tmp_path / "c.csv").write_text("x,y\n1,word\n")
    with pytest.raises(DataError, match="columns of different types"):
        load(Csv, tmp_path, "*.csv")
    (tmp_path / "c.csv").write_text("x,x\n1,2\n")
    with pytest.raises(DataError, match="more than one column named 'x'"):
        load(Csv, tmp_path, "c.csv")


def test_missing_file_lists_what_is_near(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"'data/a\.csv': there is no such file .* is empty"):
        load(Csv, tmp_path, "data/a.csv")
    (tmp_path / "data/b.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=r"data holds: b\.csv"):
        load(Csv, tmp_path, "data/c*.csv")
    with pytest.raises(DataError, match=r"holds: data/"):
        load(Csv, tmp_path, "other/place/a.csv")
    with pytest.raises(DataError, match=r"'data/' is a folder\. .* such as 'data/\*\.csv'"):
        load(Csv, tmp_path, "data/")
    with pytest.raises(DataError, match=r"Did you mean 'b\.csv'\?"):
        load(Csv, tmp_path, "data/b.cvs")


def test_dates_stay_texts(tmp_path):
    (tmp_path / "a.csv").write_text("day,at,x\n2024-02-01,2024-02-01T10:00:00Z,1\n")
    assert load(Csv, tmp_path, "a.csv")[0] == {"day": "2024-02-01", "at": "2024-02-01T10:00:00Z", "x": 1}


def test_no_cache_is_written(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "a.csv").write_text("x\n1\n")
    load(Csv, tmp_path, "a.csv")
    assert not (tmp_path / "cache").exists()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@given(rows=st.lists(st.fixed_dictionaries({"text": texts, "n": st.none() | st.integers(-(2**53), 2**53)}), min_size=1))
def test_jsonl_gives_back_what_was_written(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("free") / "a.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8", newline="")
    assert load(Jsonl, file.parent, "a.jsonl").to_list() == rows


@given(rows=st.lists(st.tuples(texts.map(lambda text: "t" + text), st.integers(-(2**53), 2**53)), min_size=1))
def test_csv_gives_back_what_was_written(tmp_path_factory, rows):
    import csv

    file = tmp_path_factory.mktemp("free") / "a.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("text", "n"), *rows])
    found = load(Csv, file.parent, "a.csv")
    assert list(zip(found["text"], found["n"], strict=True)) == rows

from __future__ import annotations

import pytest

from tuneloop.api import DataError
from tuneloop.serving.offline.formats import delimiter_of, format_of, is_packed


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.csv", "csv"),
        ("b/a.tsv.gz", "csv"),
        ("A.JSONL", "jsonl"),
        ("s3://x/a.ndjson.gz", "jsonl"),
        ("a.pq", "parquet"),
    ],
)
def test_the_name_says_the_format(name: str, found: str) -> None:
    assert format_of(name, None, "--format") == found


def test_a_format_can_be_forced() -> None:
    assert format_of("rows.txt", "jsonl", "--format") == "jsonl"


def test_an_unknown_name_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"'rows.txt'.*\.csv, .*--output-format csv\|jsonl\|parquet"):
        format_of("rows.txt", None, "--output-format")


def test_parquet_inside_gzip_is_refused() -> None:
    with pytest.raises(DataError, match="compressed inside"):
        format_of("a.parquet.gz", None, "--format")


def test_packing_and_delimiter() -> None:
    assert is_packed("a.csv.gz")
    assert not is_packed("a.csv")
    assert [delimiter_of("a.tsv.gz", None), delimiter_of("a.csv", None), delimiter_of("a.tsv", ";")] == ["\t", ",", ";"]

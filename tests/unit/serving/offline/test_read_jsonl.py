from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop.serving.offline import read_jsonl as module
from tuneloop.serving.offline.places import find_places
from tuneloop.serving.offline.read_jsonl import read_jsonl
from tuneloop.serving.offline.record import Record


def read(path: Path, content: bytes) -> tuple[tuple[str, ...], list[Record]]:
    path.write_bytes(content)
    with read_jsonl(find_places([str(path)])[0]) as table:
        return table.columns, list(table.records)


def test_columns_are_the_keys_of_the_first_records(tmp_path: Path) -> None:
    columns, records = read(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": 1}\n\n{"b": null, "a": 2}')
    assert columns == ("a", "b")
    assert [(r.place, dict(r.values)) for r in records] == [(1, {"a": 1}), (3, {"b": None, "a": 2})]


def test_more_records_than_are_looked_at_first(tmp_path: Path) -> None:
    content = gzip.compress(b"".join(b'{"a": %d}\n' % n for n in range(module.HEAD + 500)))
    _, records = read(tmp_path / "a.jsonl.gz", content)
    assert [record.values["a"] for record in records] == list(range(module.HEAD + 500))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": ', "not valid JSON: Expecting value at character 7"),
        (b"[1]", "not a JSON object"),
        (b'{"a": NaN}', "not valid JSON: NaN is no JSON number"),
        (b'{"a": "\xff"}', "not UTF-8 text (byte 7 of the line)"),
        (b"[" * 100_000, "not valid JSON: "),
    ],
)
def test_a_broken_line_is_one_record_with_a_reason(tmp_path: Path, line: bytes, reason: str) -> None:
    _, records = read(tmp_path / "a.jsonl", b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    assert [bool(record.broken) for record in records] == [False, True, False]
    assert records[1].broken.startswith(reason)
    assert records[1].place == 2
    assert len(records[1].text) <= 1000


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    with pytest.raises(DataError, match="line 1: it has more than 100 bytes"):
        read(tmp_path / "a.jsonl", b'{"a": "' + b"x" * 200 + b'"}\n')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=5))
def test_any_objects_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]) -> None:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    _, records = read(tmp_path_factory.mktemp("jsonl") / "a.jsonl", content)
    assert [record.values for record in records] == rows

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import fsspec
import pytest

from tuneloop.api import DataError
from tuneloop.serving.offline.places import changed, exists, find_places, opened, upload


def test_globs_are_sorted_and_named_files_keep_their_order(tmp_path: Path) -> None:
    for name in ("b", "a", "z"):
        (tmp_path / f"{name}.csv").write_text(name)
    found = find_places([f"{tmp_path}/z.csv", f"{tmp_path}/[ab].csv"])
    assert [Path(place.name).name for place in found] == ["z.csv", "a.csv", "b.csv"]
    assert [place.content for place in found[:1]] == [hashlib.sha256(b"z").hexdigest()]


@pytest.mark.parametrize(
    ("pattern", "said"), [("no.csv", "no such file"), ("*.csv", "no such file"), ("", "is a folder")]
)
def test_what_is_not_there_is_an_error(tmp_path: Path, pattern: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        find_places([f"{tmp_path}/{pattern}"])


def test_a_file_is_not_read_twice(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(DataError, match="more than once"):
        find_places([f"{tmp_path}/a.csv", f"{tmp_path}/*.csv"])


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")
    (place,) = find_places([str(path)])
    assert not changed(place)
    os.utime(path, ns=(1, 1))
    assert changed(place)
    path.unlink()
    assert changed(place)


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text"))
    with opened(find_places([f"{tmp_path}/a.csv.gz"])[0]) as (content, raw):
        assert content.read() == b"text"
        assert raw.tell() > 0


def test_urls_are_read_listed_and_written(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/places/b.csv": b"b", "/places/a.csv": b"a"})
    found = find_places(["memory://places/*.csv"])
    assert [place.name for place in found] == ["memory:///places/a.csv", "memory:///places/b.csv"]
    with opened(found[1]) as (content, _):
        assert content.read() == b"b"
    assert not changed(found[1])
    (tmp_path / "new").write_text("new")
    upload(tmp_path / "new", "memory://places/b.csv")
    assert changed(found[1])
    assert exists("memory://places/b.csv")
    assert not exists("memory://places/c.csv")
    with pytest.raises(DataError, match="no such file"):
        find_places(["memory://places/none-*.csv"])
    with pytest.raises(DataError, match="cannot be opened"):
        find_places(["nonsense://x/a.csv"])

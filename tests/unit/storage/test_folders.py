"""A folder that is kept comes back as it was, whole or not at all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import StorageError
from tuneloop.storage import drop_folder, fetch_folder, put_folder
from tuneloop.storage.folders import put_files

Content = dict[str, bytes]


def written(folder: Path, content: Content) -> Path:
    for name, value in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(value)
    return folder


def content_of(folder: Path) -> Content:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kept_files(place: str) -> set[str]:
    filesystem, path = (
        fsspec.core.url_to_fs(place, use_listings_cache=False) if "://" in place else fsspec.url_to_fs(place)
    )
    return {str(name).rsplit("/", 1)[-1] for name in filesystem.find(path)}


def test_a_folder_goes_there_and_back_and_changes_at_once(place: str, tmp_path: Path) -> None:
    assert not fetch_folder(place, tmp_path / "none")
    one = {"a/x.bin": b"x" * 5000, "b": b"", "same": b"in both"}
    put_folder(written(tmp_path / "one", one), place)
    assert fetch_folder(place, tmp_path / "got")
    assert content_of(tmp_path / "got") == one
    before = kept_files(place)
    two = {"a/y.bin": b"y", "same": b"in both"}
    put_folder(written(tmp_path / "two", two), place)
    assert fetch_folder(place, tmp_path / "again")
    assert content_of(tmp_path / "again") == two
    # What only the first one had is gone; what both have was not sent again under another name.
    assert len(kept_files(place) & before) == 2
    assert len(kept_files(place)) == 3
    drop_folder(place)
    assert not fetch_folder(place, tmp_path / "gone")
    assert kept_files(place) == set()
    drop_folder(place)


def test_nothing_changes_where_the_files_changed_meanwhile(place: str, tmp_path: Path) -> None:
    one = {"x": b"first", "y": b"stays"}
    folder = written(tmp_path / "one", one)
    put_folder(folder, place)
    before = kept_files(place)
    written(folder, {"x": b"second"})
    assert not put_files({"x": folder / "x", "y": folder / "y"}, place, still=lambda: False)
    assert kept_files(place) == before
    assert fetch_folder(place, tmp_path / "got")
    assert content_of(tmp_path / "got") == one


def test_a_file_that_is_not_what_was_kept_is_refused_and_leaves_nothing(place: str, tmp_path: Path) -> None:
    put_folder(written(tmp_path / "one", {"weights": b"right", "other": b"fine"}), place)
    filesystem, path = fsspec.core.url_to_fs(place)
    (damaged,) = (name for name in filesystem.find(f"{path}/files") if filesystem.cat_file(name) == b"right")
    filesystem.pipe_file(damaged, b"wrong")
    with pytest.raises(StorageError, match=r"'weights' arrived with SHA-256 .* was kept; remove .*whole\.json"):
        fetch_folder(place, tmp_path / "got")
    assert content_of(tmp_path / "got") == {}


@pytest.mark.parametrize("listing", ["no json", '{"files": 3}', '{"files": {"../evil": {"sha256": "0", "bytes": 1}}}'])
def test_a_list_that_is_none_is_refused(tmp_path: Path, listing: str) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "whole.json").write_text(listing)
    with pytest.raises(StorageError, match=r"whole\.json there|lies outside"):
        fetch_folder(str(tmp_path / "kept"), tmp_path / "got")
    assert not (tmp_path / "evil").exists()


names = st.text("abcdef-._ é", min_size=1, max_size=8).filter(lambda name: name.strip(".") != "")


@given(st.dictionaries(names, st.binary(max_size=200), max_size=6))
def test_any_content_comes_back(content: Content) -> None:
    with tempfile.TemporaryDirectory() as root:
        put_folder(written(Path(root) / "one", content), f"{root}/kept")
        json.loads(Path(root, "kept", "whole.json").read_bytes())
        fetch_folder(f"{root}/kept", Path(root) / "got")
        assert content_of(Path(root) / "got") == content

from __future__ import annotations

import functools
import gzip
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from tuneloop.api import DataError, MissingExtraError
from tuneloop_files import Csv, Jsonl


@pytest.fixture
def bucket() -> Iterator[str]:
    """A folder of fsspec's own file system in memory."""
    store = fsspec.filesystem("memory")
    with store.open("/desk/2024/b.csv.gz", "wb") as stream:
        stream.write(gzip.compress(b"id,x\n3,c\n"))
    store.pipe("/desk/2024/a.csv", b"id,x\n1,a\n2,b\n")
    store.pipe("/desk/bad.csv", b"id,x\n1,a,b\n")
    yield "memory://desk"
    store.rm("/desk", recursive=True)


def load(path: str, root: Path, kind: type[Csv] | type[Jsonl] = Csv) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = kind(kind.Options(path=path)).load(root).to_list()
    return rows


def test_a_glob_in_an_object_store(bucket: str, tmp_path: Path) -> None:
    rows = load(f"{bucket}/2024/*.csv*", tmp_path)
    assert rows == [{"id": 1, "x": "a"}, {"id": 2, "x": "b"}, {"id": 3, "x": "c"}]


def test_errors_name_the_url(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"memory:///desk/bad\.csv, line 2: 3 values"):
        load(f"{bucket}/bad.csv", tmp_path)
    with pytest.raises(DataError, match=r"'memory://desk/no\.csv' cannot be read"):
        load(f"{bucket}/no.csv", tmp_path)
    with pytest.raises(DataError, match="no file there has such a name"):
        load(f"{bucket}/*.parquet", tmp_path)
    with pytest.raises(DataError, match="nosuch"):
        load("nosuch://desk/a.csv", tmp_path)


def test_what_a_protocol_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    # Another test of this process may have had it.
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    fsspec.filesystem("memory").clear_instance_cache()
    with pytest.raises(MissingExtraError, match=r"tuneloop\[s3\]"):
        load("s3://desk/a.csv", tmp_path)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Be silent."""


def test_a_file_of_a_web_server(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        assert load(f"{url}/rows.jsonl", tmp_path, Jsonl) == [{"n": 1}, {"n": 2}]
        with pytest.raises(DataError, match="cannot be read"):
            load(f"{url}/nothing.jsonl", tmp_path, Jsonl)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

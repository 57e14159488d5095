"""A store that refuses, is full, or goes away in the middle: one clear error without a secret, nothing half kept."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.object_store import ObjectStore

from tuneloop.api import MissingExtraError, StorageError
from tuneloop.storage import fetch_folder, join, put_folder, shown

pytest.importorskip("s3fs", reason="the S3 client is not installed: pip install s3fs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    (made / "weights").write_bytes(bytes(range(256)) * 40_000)
    return made


def use(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()


def test_keys_that_may_only_read(
    bucket: str, store: ObjectStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_folder(folder, f"{bucket}/one")
    keys = store.forbid_writing("models")
    use(keys, monkeypatch)
    assert fetch_folder(f"{bucket}/one", tmp_path / "got")
    with pytest.raises(StorageError, match=r"the folder s3://models/two cannot be stored: .*(Denied|denied)") as caught:
        put_folder(folder, f"{bucket}/two")
    assert "the keys it has, may not do that" in str(caught.value)
    assert keys["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)
    store.allow_everything()


def test_wrong_keys_and_a_bucket_that_is_not_there(
    bucket: str, store: ObjectStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match=r"s3://elsewhere/x cannot be stored: .*(bucket|Bucket)"):
        put_folder(folder, "s3://elsewhere/x")
    store.forbid_writing("models")
    use(store.environment("AKIAWRONG", "wrong"), monkeypatch)
    with pytest.raises(StorageError, match="s3://models/x cannot be fetched: "):
        fetch_folder(f"{bucket}/x", folder)
    store.allow_everything()


def test_nobody_there(bucket: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        use({"AWS_ENDPOINT_URL": url, "AWS_MAX_ATTEMPTS": "1"}, monkeypatch)
        with pytest.raises(StorageError, match=rf"s3://models/x cannot be stored: .*{url}"):
            put_folder(folder, f"{bucket}/x")


@contextmanager
def cutting(target: str, after: int) -> Iterator[str]:
    """A proxy that resets each connection after so many bytes towards the server."""
    host, port = target.removeprefix("http://").split(":")

    class Cut(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            left = after
            with socket.create_connection((host, int(port))) as there, contextlib.suppress(OSError):
                while left > 0:
                    for one in select.select([self.request, there], [], [])[0]:
                        data = one.recv(65536)
                        if not data:
                            return
                        (there if one is self.request else self.request).sendall(data)
                        left -= len(data) if one is self.request else 0
            # A reset, as of a line that breaks, and no orderly end.
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def shutdown_request(self, request: Any) -> None:
            request.close()

    with Server(("127.0.0.1", 0), Cut) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_connection_that_is_cut_in_the_middle(
    bucket: str, store: ObjectStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "weights").write_bytes(b"old")
    put_folder(tmp_path / "old", f"{bucket}/x")
    with cutting(store.url, after=3_000_000) as url:
        use({"AWS_ENDPOINT_URL": url, "AWS_MAX_ATTEMPTS": "2"}, monkeypatch)
        with pytest.raises(StorageError, match="s3://models/x cannot be stored: "):
            put_folder(folder, f"{bucket}/x")
    use(store.environment(), monkeypatch)
    # What was kept before is still whole, and what was sent by half is not to be seen.
    assert fetch_folder(f"{bucket}/x", tmp_path / "got")
    assert (tmp_path / "got" / "weights").read_bytes() == b"old"
    put_folder(folder, f"{bucket}/x")
    assert fetch_folder(f"{bucket}/x", tmp_path / "again")
    assert (tmp_path / "again" / "weights").read_bytes() == (folder / "weights").read_bytes()


_FULL = """
import resource, sys
from pathlib import Path
from tuneloop.api import StorageError
from tuneloop.storage import put_folder

resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    put_folder(Path(sys.argv[1]), sys.argv[2])
except StorageError as error:
    print(error)
"""


def test_a_place_that_is_full(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "weights").write_bytes(b"old")
    place = tmp_path / "kept"
    put_folder(tmp_path / "old", str(place))
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(folder), str(place)], capture_output=True, text=True, timeout=600, check=True
    )
    assert f"the folder {place} cannot be stored: File too large; " in done.stdout
    assert not [path for path in place.rglob("*") if path.name.startswith(".half")]
    assert fetch_folder(str(place), tmp_path / "got")
    assert (tmp_path / "got" / "weights").read_bytes() == b"old"


def test_what_reaches_a_protocol_is_not_installed_or_not_known(folder: Path) -> None:
    with pytest.raises(StorageError, match=r"nosuch://x/y cannot be stored: .*nosuch"):
        put_folder(folder, "nosuch://x/y")
    with pytest.raises(MissingExtraError, match="needs the Python package"):
        put_folder(folder, "gs://bucket/y")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://key:secret@bucket/x", "s3://bucket/x"),
        ("https://host/x?sig=secret", "https://host/x"),
        ("sftp://ada:secret@host:22/x", "sftp://host:22/x"),
        ("/a folder/x", "/a folder/x"),
    ],
)
def test_no_message_holds_a_secret(place: str, said: str) -> None:
    assert shown(place) == said


def test_a_url_with_a_password_is_not_quoted(folder: Path) -> None:
    with pytest.raises(StorageError) as caught:
        put_folder(folder, "nosuch://ada:hunter2@host/x?sig=abcdef")
    assert "hunter2" not in str(caught.value)
    assert "abcdef" not in str(caught.value)


def test_join() -> None:
    assert join("s3://b/", "a", "c") == "s3://b/a/c"
    assert join("/x", "a") == "/x/a"

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tuneloop.api import ServingError
from tuneloop.loop.pages import page_reader, page_token, write_page_token
from tuneloop.loop.rollout import Rollout
from tuneloop.monitoring.webhook import get

FIRST, SECOND = "first-token-0123456789", "second-token-0123456789"
VARIABLE = "TUNELOOP_ADMIN_TOKEN_FILE"
PAGE = b'tuneloop_live_version{model="desk",version="1",sha256="a"} 2\n'


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "admin"
    path.write_text(f"# new, then old\n{FIRST}\n{SECOND}\n")
    path.chmod(0o600)
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def server() -> Iterator[str]:
    """Shows its page to who brings the first token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers.get("Authorization") == f"Bearer {FIRST}"
            self.send_response(200 if good else 401)
            self.end_headers()
            self.wfile.write(PAGE if good else b"")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_port}"
        listener.shutdown()
        thread.join()


def test_without_a_file_pages_are_read_without_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert page_token() is None
    assert page_reader() is get
    assert write_page_token(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_first_token_is_brought(token_file: Path, server: str) -> None:
    assert page_reader()(f"{server}/metrics") == PAGE.decode()
    view = Rollout((server,), "desk", fetch=page_reader()).look()
    assert view is not None
    assert view.live == {"1 a": 2.0}


def test_a_file_that_changes_is_read_again(token_file: Path, server: str) -> None:
    read = page_reader()
    token_file.write_text(f"{SECOND}\n")
    with pytest.raises(ServingError, match="refuses: HTTP Error 401"):
        read(f"{server}/metrics")
    token_file.write_text(f"{FIRST}\n")
    assert read(f"{server}/metrics") == PAGE.decode()


def test_a_server_that_wants_a_token_is_said_so(server: str, caplog: pytest.LogCaptureFixture) -> None:
    assert Rollout((server,), "desk").look() is None
    assert f"{VARIABLE} names its token" in caplog.text


def test_a_bad_file_is_an_error_at_once(token_file: Path) -> None:
    token_file.write_text("short\n")
    with pytest.raises(ServingError, match="16 are the least"):
        page_reader()


def test_prometheus_gets_a_file_with_one_token_for_its_owner_alone(token_file: Path, tmp_path: Path) -> None:
    for _ in range(2):
        path = write_page_token(tmp_path / "watch")
        assert path is not None
        assert path.read_text() == FIRST
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in (tmp_path / "watch").iterdir()] == ["page.token"]

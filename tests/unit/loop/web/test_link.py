from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from tuneloop.api import TuneloopError
from tuneloop.cli.loop import loop
from tuneloop.loop.address import address_of, announced
from tuneloop.loop.token import read_token
from tuneloop.loop.web.link import login_link
from tuneloop.loop.web.session import Keys

PROJECT = """\
name: desk
task: tabular-classification
data: {source: csv, path: people.csv, columns: {label: income}}
model: {base: tabular-mlp}
tune: {strategy: full}
export: {format: onnx}
"""


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of something that answers 200 to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_address_is_written_down_while_the_loop_listens(tmp_path: Path) -> None:
    assert address_of(tmp_path) is None
    with announced(tmp_path, "http://127.0.0.1:1"):
        assert address_of(tmp_path) == "http://127.0.0.1:1"
    assert address_of(tmp_path) is None


def test_a_link_holds_a_code_and_never_the_token(make_world_project: Any, tmp_path: Path, listening: str) -> None:
    project = make_world_project(tmp_path)
    token = read_token(project.state / "loop.token")
    keys = Keys(token, clock=lambda: 0.0)
    with announced(project.state, listening):
        link = login_link(project, "Mia & Co")
    assert link.startswith(f"{listening}/page/login?code=")
    assert token not in link
    (code,) = parse_qs(urlsplit(link).query)["code"]
    assert keys.name_in(code) == "Mia & Co"
    assert Keys(token, clock=lambda: 0.0).redeem(code) is None


def test_without_a_loop_there_is_no_link(make_world_project: Any, tmp_path: Path) -> None:
    project = make_world_project(tmp_path)
    with pytest.raises(TuneloopError, match="no loop of desk answers"):
        login_link(project, "mia")
    # One that was killed left its address behind.
    project.state.mkdir(exist_ok=True)
    (project.state / "loop.address").write_text("http://127.0.0.1:9\n")
    with pytest.raises(TuneloopError, match="no loop of desk answers"):
        login_link(project, "mia")


def test_the_command_prints_it(tmp_path: Path, listening: str) -> None:
    (tmp_path / "tuneloop.yaml").write_text(PROJECT)
    (tmp_path / "people.csv").write_text("age,income\n1,a\n2,b\n")
    token = read_token(tmp_path / ".tuneloop" / "loop.token")
    with announced(tmp_path / ".tuneloop", listening):
        result = CliRunner().invoke(loop, ["page", "--project", str(tmp_path), "--who", "mia"], catch_exceptions=False)
    assert result.exit_code == 0
    (code,) = parse_qs(urlsplit(result.output.strip()).query)["code"]
    assert Keys(token).name_in(code) == "mia"
    with announced(tmp_path / ".tuneloop", listening), pytest.raises(TuneloopError, match="is no name"):
        CliRunner().invoke(loop, ["page", "--project", str(tmp_path), "--who", " "], catch_exceptions=False)

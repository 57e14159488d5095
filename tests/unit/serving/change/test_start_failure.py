from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tuneloop.api import ServingError
from tuneloop.serving.server import start_server


def test_workers_that_cannot_start_end_in_one_clear_error(
    bento: Path, tmp_path: Path, new_port: Callable[[], int]
) -> None:
    broken = tmp_path / "bento"
    shutil.copytree(bento, broken)
    (model,) = broken.rglob("model.onnx")
    model.write_bytes(b"something else")
    server = start_server(str(broken), home=tmp_path / "home", log=tmp_path / "log.txt", port=new_port(), workers=2)
    # Far above what it takes, so that only a server that is waited for to the end comes late.
    with server, pytest.raises(ServingError, match=r"(?s)cannot start: .*model\.onnx.*was changed.*log\.txt"):
        server.wait_ready(500)
    assert server.returncode is not None


def test_a_server_that_cannot_start_says_why(tmp_path: Path, new_port: Callable[[], int]) -> None:
    server = start_server("nothing:1", home=tmp_path / "home", log=tmp_path / "log.txt", port=new_port())
    with server, pytest.raises(ServingError, match=r"(?s)ended with status 1.*nothing:1") as caught:
        server.wait_ready(300)
    assert str(tmp_path / "log.txt") in str(caught.value)

"""The token file, the lock, and the child's leash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuneloop.api import TuneloopError
from tuneloop.loop.lock import only_loop
from tuneloop.loop.token import accepted, read_token


def test_a_token_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".tuneloop" / "loop.token"
    token = read_token(path)
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_token(path) == token
    assert accepted(f"Bearer {token}", token)
    assert accepted(f"bearer {token}", token)
    assert not accepted(f"Bearer {token}\udcff", token)


def test_a_token_that_others_read_or_that_is_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a" * 20)
    path.chmod(0o644)
    with pytest.raises(TuneloopError, match="chmod 600"):
        read_token(path)
    path.chmod(0o600)
    assert read_token(path) == "a" * 20
    path.write_text("short")
    with pytest.raises(TuneloopError, match="5 characters"):
        read_token(path)
    with pytest.raises(TuneloopError, match="cannot be used"):
        read_token(path / "below")


def test_a_second_loop_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "loop.lock"
    with only_loop(path), pytest.raises(TuneloopError, match=str(os.getpid())), only_loop(path):
        pass
    with only_loop(path):
        pass


SCRIPT = """
import subprocess, sys, time
from tuneloop.loop.child import hold_leash
hold_leash()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_child_on_its_leash_ends_with_its_own_children() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(30) == -9
    # Its grandchild held the same pipe: that it ends says that both are gone.
    assert process.stdout.read() == b""
    process.stdout.close()

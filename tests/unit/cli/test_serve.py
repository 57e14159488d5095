from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", ["build", "serve"])
def test_without_a_project_one_message_says_so(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuneloop.cli.main", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "there is no tuneloop.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["build", "serve"])
def test_help_needs_no_project(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuneloop.cli.main", command, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "--project" in done.stdout

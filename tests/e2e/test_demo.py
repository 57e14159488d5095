"""The demo as a newcomer plays it: with real Prometheus and Alertmanager, and with the embedded watcher."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tuneloop.monitoring.stack import find_stack

MOST_SECONDS = 2400
"""Not the promised time, which a busy machine may miss, but one that ends a demo that hangs."""


def path_without_stack(folder: Path) -> str:
    """A PATH on which everything is but the monitoring programs."""
    hidden = {program.name for program in find_stack() or ()}
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name not in hidden and os.access(program, os.X_OK):
                link.unlink(missing_ok=True)
                link.symlink_to(program)
    return str(folder)


def figures(said: str, row: str) -> list[float]:
    (line,) = [line for line in said.splitlines() if row in line]
    return [float(number) for number in re.findall(r"\d+\.?\d*", line.partition(row)[2])]


@pytest.mark.slow
@pytest.mark.timeout(MOST_SECONDS + 60)
@pytest.mark.parametrize("stack", ["real", "embedded"])
def test_the_desk_learns_new_languages_and_no_request_fails(tmp_path: Path, stack: str) -> None:
    if stack == "real" and find_stack() is None:
        pytest.skip("prometheus and alertmanager are not on the PATH")
    environment = dict(os.environ)
    if stack == "embedded":
        environment["PATH"] = path_without_stack(tmp_path / "bin")
        assert shutil.which("prometheus", path=environment["PATH"]) is None
    folder = tmp_path / "desk"
    command = [sys.executable, "-m", "tuneloop.cli.main", "demo", "--folder", str(folder), "--port", "0"]
    done = subprocess.run(
        [*command, "--loop-port", "0"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    said = done.stdout
    assert done.returncode == 0, said[-4000:] + done.stderr[-4000:]
    known_before, known_after = figures(said, "accuracy: English, Italian, Spanish, Portuguese")
    new_before, new_after = figures(said, "accuracy: Dutch, Turkish, Indonesian")
    assert new_before < 0.2
    assert new_after > 0.85
    assert known_after >= known_before - 0.02
    sent, failed = figures(said, "requests sent / failed")
    assert sent > 1000
    assert failed == 0
    assert ("embedded watcher" in said) == (stack == "embedded")
    assert (folder / "tuneloop.yaml").is_file()
    assert list(folder.glob(".tuneloop/runs/loop-*/report.html"))

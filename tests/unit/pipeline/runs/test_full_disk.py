"""A disk that is full in a run, and one that may not be written: a sentence, and the run goes on later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.pipeline.runs import full_disk

pytest.importorskip("dbos")
pytest.importorskip("torch")
pytestmark = pytest.mark.slow

OWN = ["unshare", "--mount"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What was told of each size: too small for the first rows, for the registry's tables, and for the Bento."""
    folder = tmp_path_factory.mktemp("full")
    probe = [*OWN, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("needs a kernel that gives this user mounts of its own")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [*OWN, sys.executable, "-m", full_disk.__name__, str(folder), "ro", "200k", "1m", "2m"]
    root = Path(full_disk.__file__).parents[4]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    return {one["size"]: one for one in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("size", ["200k", "1m", "2m"])
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(told: dict[str, Any], size: str) -> None:
    one = told[size]
    assert "cannot be used: " in one["said"] or "bentoml build" in one["said"]
    assert "the disk is full: make room" in one["said"]
    assert "\n" not in one["said"]
    (note,) = one["notes"]
    assert "tuneloop run --resume 2" in note
    # A version is there whole, once its step is done, or not at all.
    assert one["then"] == (["1"] if one["step"] == ["package"] else [])
    assert one["state"] == "passed"
    assert one["last"] == [["1", ["champion"]]]


def test_a_disk_that_may_not_be_written_is_told_before_anything_begins(told: dict[str, Any]) -> None:
    one = told["ro"]
    assert "Read-only file system; the file system is read-only" in one["said"]
    assert (one["step"], one["notes"], one["then"]) == ([], [], [])


def test_what_fails_first_is_told_by_the_step_of_its_record(told: dict[str, Any]) -> None:
    assert told["1m"]["step"] == ["register"]
    assert told["2m"]["step"] in (["register"], ["package"])

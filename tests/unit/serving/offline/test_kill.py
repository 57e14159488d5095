"""`tuneloop predict` as a process that is killed with SIGKILL again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tuneloop.artifact import Artifact

ROWS, WINDOW = 12_000, 100


def start(artifact: Artifact, source: Path, output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tuneloop.cli.main", "predict", str(artifact.folder), "--input", str(source)]
    command += [
        "--output",
        str(output),
        "--keep",
        "id",
        "--window",
        str(WINDOW),
        "--on-error",
        "skip",
        "--threads",
        "2",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNELOOP")}
    return subprocess.Popen(
        command, env={**environment, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(output: Path) -> int:
    return len(list(output.with_name(f"{output.name}.partial").glob("??????.json")))


def kill_after(process: subprocess.Popen[str], output: Path, parts: int) -> None:
    deadline = time.monotonic() + 300
    while finished(output) < parts:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert process.returncode == -9, "it ended before it was killed"


def test_killed_at_any_moment_the_output_is_the_same_to_the_byte(
    moods: Artifact, messages: Callable[..., list[str]], write_jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [{"id": i, "message": text if i % 997 else ""} for i, text in enumerate(messages(ROWS, 6))]
    source, whole, output = write_jsonl(rows), tmp_path / "whole" / "a.csv", tmp_path / "a.csv"
    undisturbed = start(moods, source, whole)
    assert undisturbed.wait(120) == 0, undisturbed.communicate()
    undisturbed.communicate()
    for parts in (1, 40):
        kill_after(start(moods, source, output), output, parts)
        assert not output.exists()
    kept = finished(output) * WINDOW
    last = start(moods, source, output)
    said, _ = last.communicate(timeout=900)
    assert last.returncode == 0
    assert f"{kept:,} rows were finished by an earlier attempt" in said
    assert output.read_bytes() == whole.read_bytes()
    rejects = [path.with_name(f"{path.name}.rejects.jsonl").read_bytes() for path in (output, whole)]
    assert rejects[0] == rejects[1]
    assert [json.loads(line)["record"]["id"] for line in rejects[0].splitlines()] == list(range(0, ROWS, 997))
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name or "joining" in path.name] == []

"""SIGKILL anywhere, resume, and the artifact is the one of an undisturbed run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuneloop.pipeline.runs.workflow import STEPS

pytest.importorskip("dbos")
pytest.importorskip("torch")

_DEADLINE = 300.0


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    environment.pop("TUNELOOP_DATABASE_URL", None)
    command = [sys.executable, "-m", "tuneloop.cli.main", *arguments, "--project", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def finish(folder: Path, *arguments: str) -> str:
    process = start(folder, *arguments)
    output, _ = process.communicate(timeout=_DEADLINE)
    assert process.returncode == 0, output
    return output


def kill_in(folder: Path, step: str, *arguments: str) -> bool:
    """Kill the run while it is in a step; False where the step was over before the signal arrived."""
    process = start(folder, *arguments)
    steps, deadline = folder / ".tuneloop" / "steps", time.monotonic() + _DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        found = list(steps.glob(f"{step}-*")) if steps.exists() else []
        if found and (step != "tune" or list(found[0].glob("checkpoints/**/trainer_state.json"))):
            process.kill()
            break
        time.sleep(0.001)
    output, _ = process.communicate(timeout=_DEADLINE)
    assert process.returncode == -9, output
    return not (found[0] / "output.json").exists()


def outcome(folder: Path) -> dict[str, str]:
    (record,) = json.loads(finish(folder, "runs", "--json"))
    return {"state": record["state"], "sha256": record["sha256"], "version": record["version"]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, write_project):
    folder = write_project(tmp_path_factory.mktemp("undisturbed") / "income")
    finish(folder, "run")
    return folder, outcome(folder)


def test_a_run_killed_in_tune_goes_on_past_a_half_written_checkpoint(tmp_path, write_project, undisturbed):
    folder = write_project(tmp_path / "income")
    assert kill_in(folder, "tune", "run")
    (tune,) = (folder / ".tuneloop" / "steps").glob("tune-*")
    whole = sorted(tune.glob("checkpoints/**/trainer_state.json"), key=lambda path: path.stat().st_mtime)[-1].parent
    half = whole.with_name("checkpoint-9999")
    half.mkdir()
    shutil.copy(whole / "model.safetensors", half)
    assert json.loads(finish(folder, "runs", "--json"))[0]["state"] == "interrupted"
    output = finish(folder, "run", "--resume")
    assert "champion" in output
    assert outcome(folder) == undisturbed[1]


@pytest.mark.slow
def test_a_run_killed_in_every_step_gives_the_same_artifact(tmp_path, write_project, undisturbed):
    folder = write_project(tmp_path / "income")
    arguments, within = ["run"], set()
    for step in STEPS:
        if kill_in(folder, step.name, *arguments):
            within.add(step.name)
        arguments = ["run", "--resume"]
    # Steps of a few milliseconds may be over when the signal arrives: then it hit the seam after them.
    assert within >= {"load", "baseline", "tune", "export", "register", "package"}
    finish(folder, "run", "--resume")
    assert outcome(folder) == undisturbed[1]
    (version,) = json.loads(finish(folder, "models", "--json"))
    assert version["aliases"] == ["champion"]

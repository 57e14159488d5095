"""A run that trains in several processes is killed: they end too, and it goes on from the last checkpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

psutil = pytest.importorskip("psutil")
pytest.importorskip("dbos")
pytest.importorskip("torch")

_DEADLINE = 600.0
LAUNCH = "launch: {launcher: torchrun, processes: 2, threads: 1}\n"


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    environment.pop("TUNELOOP_DATABASE_URL", None)
    command = [sys.executable, "-m", "tuneloop.cli.main", *arguments, "--project", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


@pytest.mark.cluster
def test_no_process_outlives_its_run_and_the_run_goes_on(tmp_path, write_project):
    folder = write_project(tmp_path / "income", epochs=24, wanted=0.5)
    file = folder / "tuneloop.yaml"
    file.write_text(file.read_text() + LAUNCH)
    process = start(folder, "run")
    steps, deadline, found = folder / ".tuneloop" / "steps", time.monotonic() + _DEADLINE, []
    while process.poll() is None and time.monotonic() < deadline and not found:
        found = list(steps.glob("tune-*/checkpoints/**/trainer_state.json"))
        time.sleep(0.01)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    output, _ = process.communicate(timeout=_DEADLINE)
    assert process.returncode == -9, output
    workers = [one for one in family if one.is_running()]
    assert len(family) >= 3, "the supervisor and two workers"
    gone, alive = psutil.wait_procs(workers, timeout=_DEADLINE)
    assert not alive, f"of {len(gone) + len(alive)} processes {alive} outlived the run"
    (tune,) = steps.glob("tune-*")
    assert not (tune / "output.json").exists()
    written = max(path.stat().st_mtime for path in tune.glob("checkpoints/**/trainer_state.json"))
    resumed = start(folder, "run", "--resume")
    output, _ = resumed.communicate(timeout=_DEADLINE)
    assert resumed.returncode == 0, output
    history = json.loads((tune / "output.json").read_text())["output"]["history"]
    assert [record["epoch"] for record in history] == [float(epoch) for epoch in range(1, 25)]
    assert (tune / "output.json").stat().st_mtime > written

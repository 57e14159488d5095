"""A loop as a process for tests: `driver.py ROOT SERVER KILL TRAINING`.

Everything is real but the training, which registers an artifact that lies ready. KILL is `STEP:before` or
`STEP:after`: there the process ends itself with SIGKILL, after a step before DBOS has recorded it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tuneloop.artifact import Artifact
from tuneloop.loop import server
from tuneloop.loop.retrain import Retraining
from tuneloop.loop.training import Training
from tuneloop.pipeline.records import RunStatus, read_status, run_folder, update_status
from tuneloop.registry import Entry, Registry


def conftest() -> Any:
    spec = importlib.util.spec_from_file_location("loop_conftest", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main(root: Path, url: str, kill: str, training: str) -> None:
    helpers = conftest()
    project = helpers.make_project(root)
    original = Retraining.do

    def do(self: Retraining, name: str, *arguments: Any) -> Any:
        if kill == f"{name}:before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, name, *arguments)
        if kill == f"{name}:after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def run(self: Training, run: str, feedback: Path) -> RunStatus:
        with (root / "trainings").open("a") as log:
            log.write(f"{run} {len(feedback.read_bytes().splitlines())}\n")
        folder = run_folder(project.state, run)
        if read_status(folder).state == "running":
            if training == "broken":
                return RunStatus(state="failed", reasons=("no memory",))
            passed = training == "passed"
            artifact = Artifact.open(root / "challenger")
            version = Registry(project).register(Entry(run=run, artifact=artifact, passed=passed))
            reasons = () if passed else ("accuracy on the golden holdout is 0.5; it must be at least 0.9",)
            update_status(folder, state=training, version=version.number, sha256=artifact.sha256, reasons=reasons)
        return read_status(folder)

    Retraining.do = do  # type: ignore[method-assign]
    Training.run = run  # type: ignore[method-assign]
    settings = server.LoopSettings(
        port=0, server_url=url, tick=0.2, rollout=3.0, ready=lambda address, _: os.write(1, f"{address}\n".encode())
    )
    server.serve_loop(project, helpers.Observers(), settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

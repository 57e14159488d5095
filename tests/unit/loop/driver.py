"""A loop as a process for tests: `driver.py ROOT SERVER KILL TRAINING`.

Everything is real but the training, which registers an artifact that lies ready. KILL is `STEP:before`,
`STEP:during` or `STEP:after`: there the process ends itself with SIGKILL, after a step before DBOS has recorded it,
and during it once it has noted figures twice. `loop.json` in ROOT says how the project differs: its `name`, `rollout`
and `retrain`; `challenger.txt` names the artifact to register, if not `challenger`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneloop.artifact import Artifact
from tuneloop.config import Canary, Rollout, RolloutLimits, Shadow
from tuneloop.loop import server
from tuneloop.loop.stages import Stages
from tuneloop.loop.steps import Retraining
from tuneloop.loop.training import Training
from tuneloop.pipeline.runs.records import RunStatus, read_status, run_folder, update_status
from tuneloop.registry import Entry, Registry


def conftest() -> Any:
    spec = importlib.util.spec_from_file_location("loop_conftest", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def read_project(helpers: Any, root: Path) -> Any:
    """The project of the tests, as `loop.json` changes it."""
    file = root / "loop.json"
    said = json.loads(file.read_text()) if file.exists() else {}
    wanted = said.get("rollout", {"watch": 0.5})
    rollout = Rollout(
        shadow=Shadow(**wanted["shadow"]) if wanted.get("shadow") else None,
        canary=Canary(**wanted["canary"]) if wanted.get("canary") else None,
        watch=wanted.get("watch"),
        approval=wanted.get("approval", False),
        limits=RolloutLimits(**wanted.get("limits", {})),
        timeout=wanted.get("timeout", 60.0),
        on_timeout=wanted.get("on_timeout", "stop"),
    )
    project = helpers.make_project(root, rollout=rollout, **said.get("retrain", {}))
    return replace(project, name=said.get("name", project.name))


def main(root: Path, url: str, kill: str, training: str) -> None:
    helpers = conftest()
    project = read_project(helpers, root)
    original, note = Retraining.do, Stages.note
    noted: Counter[str] = Counter()

    def do(self: Retraining, name: str, *arguments: Any) -> Any:
        if kill == f"{name}:before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, name, *arguments)
        if kill == f"{name}:after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def note_and_die(self: Stages, run: str, stage: str, *arguments: Any) -> None:
        note(self, run, stage, *arguments)
        noted[stage.split()[0]] += 1
        if kill == f"{stage.split()[0]}:during" and noted[stage.split()[0]] == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    def run(self: Training, run: str, feedback: Path) -> RunStatus:
        with (root / "trainings").open("a") as log:
            log.write(f"{run} {len(feedback.read_bytes().splitlines())}\n")
        folder = run_folder(project.state, run)
        if read_status(folder).state == "running":
            if training == "broken":
                return RunStatus(state="failed", reasons=("no memory",))
            passed = training == "passed"
            named = root / "challenger.txt"
            artifact = Artifact.open(root / (named.read_text() if named.exists() else "challenger"))
            version = Registry(project).register(Entry(run=run, artifact=artifact, passed=passed))
            reasons = () if passed else ("accuracy on the golden holdout is 0.5; it must be at least 0.9",)
            update_status(folder, state=training, version=version.number, sha256=artifact.sha256, reasons=reasons)
        return read_status(folder)

    Retraining.do = do  # type: ignore[method-assign]
    Stages.note = note_and_die  # type: ignore[method-assign]
    Training.run = run  # type: ignore[method-assign]
    settings = server.LoopSettings(
        port=0,
        server_url=url,
        tick=0.2,
        rollout=3.0,
        ready=lambda address, _: os.write(1, f"{address}\n".encode()),
        waits=lambda address: os.write(1, f"standby {address}\n".encode()),
    )
    server.serve_loop(project, helpers.Observers(), settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

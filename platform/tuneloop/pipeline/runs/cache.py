"""Do a step, or take its earlier result.

The folder of a step is named by the fingerprint of everything its result depends on. `output.json` is written
last: where it is, the step is finished; where it is not, an attempt was killed, and is done again in place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuneloop.artifact import canonical_json, write_json
from tuneloop.pipeline.runs.sharing import OUTPUT, share_result, take_result
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, StepResult


def fingerprint(step: Step, scope: Scope, done: Mapping[str, StepResult]) -> str:
    """SHA-256 of all that the step's result depends on: its code, its part of the project, earlier results."""
    content = {
        "step": step.name,
        "version": step.version,
        "inputs": step.inputs(scope),
        "after": {name: done[name].fingerprint for name in step.after},
    }
    if step.told and (told := step.told(done)):
        content["told"] = told
    return hashlib.sha256(canonical_json(content)).hexdigest()


def step_folder(scope: Scope, step: str, key: str) -> Path:
    """Where a step with this fingerprint keeps its files."""
    return scope.project.state / "steps" / f"{step}-{key[:16]}"


def perform(step: Step, scope: Scope, done: Mapping[str, StepResult]) -> StepResult:
    """The step's result: an earlier one for equal inputs, or a new one.

    A step whose result is known only by doing it (`load`: its rows) gives its own `fingerprint` among its output.
    """
    key = fingerprint(step, scope, done)
    folder = step_folder(scope, step.name, key)
    with _alone(folder):
        earlier = load_result(step.name, folder) if step.cached else None
        if earlier is None and step.shared and take_result(scope.project, folder):
            earlier = load_result(step.name, folder)
        if earlier is not None:
            return earlier
        started = time.monotonic()
        output = step.run(StepContext(scope, folder, done))
        seconds = time.monotonic() - started
        key, reused = output.pop("fingerprint", key), bool(output.pop("reused", False))
        record = {"fingerprint": key, "seconds": seconds, "output": output}
        # Here first: where the storage cannot be written, a resumed run still has the result.
        write_json(folder / OUTPUT, record)
        if step.shared:
            share_result(scope.project, folder, step.shared)
        return StepResult(step.name, key, folder, output, seconds, reused)


def load_result(step: str, folder: Path) -> StepResult | None:
    """The finished result in a step's folder; None where there is none."""
    try:
        record: dict[str, Any] = json.loads((folder / OUTPUT).read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return StepResult(step, record["fingerprint"], folder, record["output"], record["seconds"], reused=True)


def fresh(folder: Path) -> Path:
    """An empty folder: what a killed attempt left in it is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the step's lock: a second process with equal inputs waits, and then takes the result."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

"""`package`: the artifact as a Bento, which `bentoml serve` runs; only a version that passed the gate gets one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.pipeline.profile import open_artifact
from tuneloop.pipeline.step import Scope, Step, StepContext


def bento_home(state: Path) -> Path:
    """The project's own Bento store. `state` is its `.tuneloop`."""
    return state / "bentoml"


def _inputs(scope: Scope) -> dict[str, Any]:
    return {"run": scope.request.run}


def run(context: StepContext) -> dict[str, Any]:
    """Build the Bento."""
    if not context.done["gate"].output["passed"]:
        return {"bento": None, "summary": {"skipped": "refused by the gate"}}
    from tuneloop.serving.bento import build_bento

    version = context.done["register"].output["version"]
    tag = build_bento(open_artifact(context), version, home=bento_home(context.project.state))
    return {"bento": str(tag), "summary": {"bento": str(tag)}}


STEP = Step("package", 1, ("profile", "gate", "register"), _inputs, run, cached=False)

"""`package`: the artifact as a Bento, which `bentoml serve` runs; only a version that passed the gate gets one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.pipeline.delivering.profile import open_artifact
from tuneloop.pipeline.runs.step import Scope, Step, StepContext

if TYPE_CHECKING:
    from tuneloop.config import Project


def bento_home(state: Path) -> Path:
    """The project's own Bento store. `state` is its `.tuneloop`."""
    return state / "bentoml"


def signature_of(project: Project, version: str) -> str | None:
    """The envelope that signs a version, from its Bento; None where that is not signed, or not there."""
    from tuneloop.serving.packaging.bento import bento_folder
    from tuneloop.serving.trust.signature import SIGNATURE, read_envelope

    envelope = read_envelope(bento_folder(bento_home(project.state), f"{project.name}:{version}") / SIGNATURE)
    return None if envelope is None else envelope.decode("utf-8", "replace")


def _inputs(scope: Scope) -> dict[str, Any]:
    return {"run": scope.request.run}


def run(context: StepContext) -> dict[str, Any]:
    """Build the Bento."""
    if not context.done["gate"].output["passed"]:
        return {"bento": None, "summary": {"skipped": "refused by the gate"}}
    from tuneloop.serving.packaging.bento import build_bento
    from tuneloop.serving.trust.signature import Signer

    version = context.done["register"].output["version"]
    home, device = bento_home(context.project.state), context.project.serve.device
    tag = build_bento(
        open_artifact(context),
        version,
        home=home,
        device="gpu" if device == "gpu" else "cpu",
        signer=Signer.from_environment(),
        policy=context.project.store,
    )
    return {"bento": str(tag), "summary": {"bento": str(tag)}}


STEP = Step("package", 1, ("profile", "gate", "register"), _inputs, run, cached=False)

"""What a run keeps for people beside its report: the card with its energy, and the lists of the error analysis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneloop.artifact import CARD, Artifact, write_atomic
from tuneloop.pipeline.documents.card import run_card
from tuneloop.pipeline.evaluating.assess import ASSESSMENT
from tuneloop.pipeline.evaluating.energy import Energy, trained
from tuneloop.pipeline.evaluating.tables import FOLDER, write_tables
from tuneloop.pipeline.runs.step import StepContext


def load_assessment(context: StepContext) -> dict[str, Any]:
    """The assessment that `profile` wrote."""
    found: dict[str, Any] = json.loads(context.file("profile", ASSESSMENT).read_bytes())
    return found


def energy_of(context: StepContext) -> Energy:
    """What the training of this run used, its search and its cross-validation included."""
    return trained(context.done, context.project.card.country)


def write_run_files(context: StepContext, artifact: Artifact, folder: Path) -> tuple[Path, ...]:
    """Write them into the run's folder; gives their paths."""
    card = (artifact.folder / CARD).read_text(encoding="utf-8")
    write_atomic(folder / CARD, run_card(card, context.scope.request, energy_of(context)).encode())
    write_tables(load_assessment(context), folder / FOLDER)
    return folder / CARD, folder / FOLDER

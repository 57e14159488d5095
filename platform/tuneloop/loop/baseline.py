"""What a new version is compared with: the champion, and what the servers counted of it."""

from __future__ import annotations

import pydantic

from tuneloop.loop.stages import Stages
from tuneloop.loop.trials.counting import Count


class Baseline(pydantic.BaseModel):
    """The champion when the run began, and what the servers counted of it since."""

    model_config = pydantic.ConfigDict(frozen=True)
    champion: str | None = None
    count: Count = Count()


def baseline_of(stages: Stages, run: str, stage: str = "freeze") -> Baseline:
    """What a stage of a run noted; where it has noted nothing, what the run began with, or nothing."""
    text = stages.state(run, stage) or stages.state(run, "freeze")
    return Baseline.model_validate_json(text) if text else Baseline()

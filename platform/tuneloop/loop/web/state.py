"""What the loop does at this moment, in a word and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuneloop.loop.deciding import approvals
from tuneloop.loop.deciding import pause as pausing
from tuneloop.loop.deciding.schedule import Schedule
from tuneloop.loop.stages import Stages
from tuneloop.pipeline.runs.records import read_status, run_folder

if TYPE_CHECKING:
    from tuneloop.loop.web.site import Site


@dataclass(frozen=True, slots=True)
class State:
    """The loop now.

    Attributes:
        kind: The most pressing of what is the case.
        title: For a headline.
        text: A sentence.
        run: The run it is about; empty where there is none.
        waiting: Runs that wait for an answer.
        paused: Whether no alert starts a run.
        next_run: Unix second of the next scheduled run; None where there is none.
    """

    kind: Literal["waiting", "running", "paused", "idle"]
    title: str
    text: str
    run: str
    waiting: tuple[str, ...]
    paused: bool
    next_run: float | None


def read_state(site: Site) -> State:
    """The state of a loop, from its records."""
    waiting = tuple(one.run for one in approvals.waiting(site.database))
    halt = pausing.paused(site.database)
    run = site.brain.decisions.unfinished()
    plan = Schedule.of(site.project.retrain)
    next_run = None if plan is None else plan.next(site.clock())
    because = "" if halt is None else f"Paused by {halt.who}: {halt.why}"
    rest = (waiting, halt is not None, next_run)
    if waiting:
        text = " ".join(filter(None, ["A version passed the gate and waits for an answer.", because]))
        return State("waiting", "Waiting for approval", text, waiting[0], *rest)
    if run is not None:
        text = " ".join(filter(None, [f"Because: {run.why}", because]))
        return State("running", f"Retraining: {_stage(site, run.run)}", text, run.run, *rest)
    if halt is not None:
        return State("paused", "Paused", because, "", *rest)
    on = " and ".join(site.project.retrain.on)
    text = f"It listens, and retrains on {on}." if on else "It listens, and no alert starts a run."
    return State("idle", "Idle", text, "", *rest)


def _stage(site: Site, run: str) -> str:
    """Where a run is: its stage, and of training the step."""
    status = read_status(run_folder(site.project.state, run))
    open_ = [stage.stage for stage in Stages(site.database, site.clock).of(run) if stage.ended is None]
    stage = open_[-1] if open_ else "train"
    return f"{stage}, step {status.step}" if stage == "train" and status.step else stage

"""The durable workflow of one retraining: freeze the labelled rows, run, promote, prove it live, or undo.

```
freeze -> train -> passed?  -> look -> promote -> prove -> live?  -> promoted
                   refused                                 not    -> undo -> rolled back
```

DBOS records the result of every step. A step that was cut off is done again, so each one first asks whether its work is
done already: the snapshot stays, a finished run is not run again, a champion is not promoted twice.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import RunError
from tuneloop.loop.decisions import Decisions
from tuneloop.loop.evidence import EvidenceReader
from tuneloop.loop.records import RunOutcome
from tuneloop.loop.rollout import Rollout, as_view
from tuneloop.loop.training import Stopped, Training
from tuneloop.pipeline import promote, publish, rollback
from tuneloop.pipeline.records import FEEDBACK, run_folder
from tuneloop.registry import CHAMPION, Registry

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager

logger = logging.getLogger(__name__)

WHO = "loop"
"""Who promotes and rolls back, in the registry's history."""


@dataclass(frozen=True)
class Retraining:
    """What retrainings of one project work with.

    Attributes:
        project: The project.
        plugins: Observers among them are told.
        decisions: Where the run is recorded.
        evidence: Where labelled rows come from.
        training: Runs the pipeline.
        rollout: Watches the server.
        ended: Called with the outcome and the seconds of a run that this process ended.
        stopping: Set when the loop is asked to end; no step begins then.
        clock: Unix seconds.
    """

    project: Project
    plugins: PluginManager
    decisions: Decisions
    evidence: EvidenceReader
    training: Training
    rollout: Rollout
    ended: Callable[[RunOutcome, float], None]
    stopping: threading.Event
    clock: Callable[[], float] = time.time
    at_work: threading.Lock = field(default_factory=threading.Lock)

    def do(self, name: str, *arguments: Any) -> Any:
        """Do one step.

        Raises:
            Stopped: The loop is asked to end.
        """
        with self.at_work:
            if self.stopping.is_set():
                raise Stopped
            return getattr(self, name)(*arguments)

    def settle(self, timeout: float = 20.0) -> None:
        """Return when no step is at work any more; `stopping` is set."""
        if self.at_work.acquire(timeout=timeout):
            self.at_work.release()

    def feedback(self, run: str) -> Path:
        """Where the labelled rows of a run are frozen."""
        return run_folder(self.project.state, run) / FEEDBACK

    def freeze(self, run: str) -> int:
        """Freeze the labelled rows; gives their number."""
        moment = self.clock()
        rows = self.evidence.snapshot(self.feedback(run))
        self.decisions.frozen(run, moment)
        return rows

    def train(self, run: str) -> dict[str, Any]:
        """Run the pipeline; gives `state`, `version`, `sha256` and `reasons`."""
        status = self.training.run(run, self.feedback(run))
        return status.model_dump(mode="json", include={"state", "version", "sha256", "reasons"})

    def look(self) -> dict[str, Any] | None:
        """What the server says before the channel changes."""
        view = self.rollout.look()
        return None if view is None else view.model_dump(mode="json")

    def promote(self, run: str, version: str) -> None:
        """Make the version the champion and put it into the channel."""
        registry = Registry(self.project)
        champion = registry.find(CHAMPION)
        if champion is not None and champion.number == version:
            publish(self.project, registry)
            return
        record = self.decisions.run(run)
        why = record.why if record is not None else "asked for by an alert"
        promote(self.project, self.plugins, version, who=WHO, why=why)

    def prove(self, version: str, sha256: str, before: dict[str, Any] | None) -> tuple[bool, str]:
        """Wait until the server answers with the version: whether it does, and a sentence."""
        result = self.rollout.wait(version, sha256, as_view(before))
        return result.live, result.sentence

    def undo(self, version: str, why: str) -> str:
        """Put the champion before this version back; gives a sentence. Another champion by now is left alone."""
        registry = Registry(self.project)
        champion = registry.find(CHAMPION)
        if champion is None or champion.number != version:
            if champion is not None:
                publish(self.project, registry)
            return f"version {champion.number if champion else 'none'} is champion"
        move = rollback(self.project, self.plugins, who=WHO, why=why)
        return f"version {move.version} is champion again"

    def finish(self, run: str, outcome: RunOutcome, reason: str, version: str | None) -> None:
        """Record how the run ended."""
        if self.decisions.finish(run, outcome, reason, version):
            record = self.decisions.run(run)
            if record is not None and record.ended is not None:
                self.ended(outcome, record.ended - record.started)
            logger.info("run %s: %s: %s", run, outcome, reason)


_open: dict[str, Retraining] = {}


def open_retraining(retraining: Retraining) -> None:
    """Make known what the workflows of a project work with; before DBOS recovers any."""
    _open[str(retraining.project.root)] = retraining


def close_retraining(retraining: Retraining) -> None:
    """The loop of this project ends."""
    _open.pop(str(retraining.project.root), None)


def workflow_id(run: str) -> str:
    """The id of a retraining's workflow; that of the run itself belongs to the pipeline."""
    return f"retrain-{run}"


@functools.cache
def workflow() -> Callable[[str, str], str]:
    """The workflow `(project root, run id) -> outcome`, registered with DBOS once a process."""
    from dbos import DBOS

    @DBOS.step(name="tuneloop_loop_step")
    def step(root: str, name: str, *arguments: Any) -> Any:
        return _open[root].do(name, *arguments)

    @DBOS.workflow(name="tuneloop_retrain", max_recovery_attempts=None)
    def retrain(root: str, run: str) -> str:
        def do(name: str, *arguments: Any) -> Any:
            return step(root, name, *arguments)

        outcome, reason, version = _retrain(do, run)
        do("finish", run, outcome, reason, version)
        return outcome

    return retrain


def _retrain(do: Callable[..., Any], run: str) -> tuple[RunOutcome, str, str | None]:
    """How the run ended, in what words, and with which version."""
    try:
        rows = do("freeze", run)
        status = do("train", run)
    except Exception as error:
        return "failed", _words(error), None
    version, reasons = status["version"], "; ".join(status["reasons"])
    if status["state"] == "refused":
        return "refused", reasons, version
    if status["state"] != "passed" or version is None or status["sha256"] is None:
        return "failed", reasons or f"the run is {status['state']} and names no version", version
    try:
        before = do("look")
        do("promote", run, version)
        live, sentence = do("prove", version, status["sha256"], before)
    except Exception as error:
        live, sentence = False, _words(error)
    if live:
        return "promoted", f"trained with {rows} labelled rows; {sentence}", version
    try:
        undone = do("undo", version, sentence)
    except Exception as error:
        return "rolled-back", f"{sentence}; and the version before could not be put back: {_words(error)}", version
    return "rolled-back", f"{sentence}; {undone}", version


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def begin(root: str, run: str) -> str:
    """Start the workflow of a run, once; one that was cut off is recovered by DBOS itself.

    Returns:
        The workflow's status.

    Raises:
        RunError: DBOS refuses.
    """
    from dbos import DBOS, SetWorkflowID

    found = DBOS.get_workflow_status(workflow_id(run))
    if found is not None:
        return str(found.status)
    try:
        with SetWorkflowID(workflow_id(run)):
            DBOS.start_workflow(workflow(), root, run)
    except Exception as error:
        raise RunError(f"run {run} cannot be started: {error}") from error
    return "PENDING"

"""The durable workflow of one retraining: from labelled rows to a version that serves, or to a reason why not.

```
freeze -> train -> passed? -> [approval] -> [shadow] -> [canary ...] -> look -> promote -> prove -> [watch] -> promoted
                   refused     declined      worse       worse                             not live   worse
                                             `-> stop: rolled back                         `-> undo: rolled back
```

DBOS records the result of every step. A step that was cut off is done again, so each one first asks whether its work is
done already: the snapshot stays, a finished run is not run again, a trial goes on with what it counted, a champion is
not promoted twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tuneloop.api import RunError
from tuneloop.loop.records import RunOutcome
from tuneloop.loop.steps import Retraining
from tuneloop.loop.trials.judge import FAILED, NOT_LIVE

__all__ = ["Retraining", "begin", "close_retraining", "open_retraining", "workflow", "workflow_id"]

_open: dict[str, Retraining] = {}


def open_retraining(retraining: Retraining) -> None:
    """Make known what the workflows of a project work with; before DBOS recovers any."""
    _open[retraining.project.name] = retraining


def close_retraining(retraining: Retraining) -> None:
    """The loop of this project ends."""
    _open.pop(retraining.project.name, None)


def workflow_id(run: str) -> str:
    """The id of a retraining's workflow; that of the run itself belongs to the pipeline."""
    return f"retrain-{run}"


@functools.cache
def workflow() -> Callable[[str, str], str]:
    """The workflow `(project, run id) -> outcome`, registered with DBOS once a process.

    By the project's name, not by its folder: another host may go on with it.
    """
    from dbos import DBOS

    @DBOS.step(name="tuneloop_loop_step")
    def step(project: str, name: str, *arguments: Any) -> Any:
        return _open[project].do(name, *arguments)

    @DBOS.workflow(name="tuneloop_retrain", max_recovery_attempts=None)
    def retrain(project: str, run: str) -> str:
        def do(name: str, *arguments: Any) -> Any:
            return step(project, name, *arguments)

        end = _retrain(do, run)
        do("finish", run, end.outcome, end.reason, end.version, end.cause)
        return end.outcome

    return retrain


@dataclass(frozen=True, slots=True)
class _End:
    """How a run ended, in what words, with which version, and for which of `judge.REASONS` it was rolled back."""

    outcome: RunOutcome
    reason: str
    version: str | None
    cause: str = ""


Do = Callable[..., Any]


def _retrain(do: Do, run: str) -> _End:
    try:
        rows = do("freeze", run)
        status = do("train", run)
    except Exception as error:
        return _End("failed", _words(error), None)
    version, reasons = status["version"], "; ".join(status["reasons"])
    if status["state"] == "refused":
        return _End("refused", reasons, version)
    if status["state"] != "passed" or version is None or status["sha256"] is None:
        return _End("failed", reasons or f"the run is {status['state']} and names no version", version)
    said = [f"trained with {rows} labelled rows"]
    plan = do("plan")
    return _try(do, run, version, plan, said) or _promote(do, run, version, status["sha256"], plan, said)


def _try(do: Do, run: str, version: str, plan: dict[str, Any], said: list[str]) -> _End | None:
    """What comes before the promotion; None where nothing speaks against it."""
    try:
        if plan["approval"]:
            word = do("approval", run, version)
            if not word["approved"]:
                return _End("declined", word["sentence"], version)
            said.append(word["sentence"])
        for step, *arguments in _trials(plan):
            result = do(step, run, version, *arguments)
            said.append(result["sentence"])
            if result["reason"]:
                do("stop", version, result["sentence"])
                return _End("rolled-back", "; ".join(said), version, result["reason"])
    except Exception as error:
        words = _words(error)
        try:
            do("stop", version, words)
        except Exception as second:
            words = f"{words}; and it is still tried: {_words(second)}"
        return _End("failed", words, version)
    return None


def _trials(plan: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    if plan["shadow"]:
        yield ("shadow",)
    for share in plan["canary"]:
        yield ("canary", share)


def _promote(do: Do, run: str, version: str, sha256: str, plan: dict[str, Any], said: list[str]) -> _End:
    cause = FAILED
    try:
        before = do("look")
        refusal = do("promote", run, version)
        if refusal:
            do("stop", version, refusal)
            return _End("refused", refusal, version)
        live, sentence = do("prove", run, version, sha256, before)
        said.append(sentence)
        if not live:
            cause = NOT_LIVE
        elif plan["watch"] and before is not None:
            result = do("watch", run, version)
            said.append(result["sentence"])
            live, cause = not result["reason"], result["reason"]
    except Exception as error:
        live = False
        said.append(_words(error))
    if live:
        return _End("promoted", "; ".join(said), version)
    try:
        said.append(do("undo", run, version, said[-1]))
    except Exception as error:
        said.append(f"and the version before could not be put back: {_words(error)}")
    return _End("rolled-back", "; ".join(said), version, cause)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def begin(project: str, run: str) -> str:
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
            DBOS.start_workflow(workflow(), project, run)
    except Exception as error:
        raise RunError(f"run {run} cannot be started: {error}") from error
    return "PENDING"

"""The records of runs in `.tuneloop/runs/<run>/`: what was asked for, and how far it is.

```
request.json      what was asked for; never changes
tuneloop.yaml     the project file as it was; a resumed run uses this one
feedback.jsonl    labelled production rows, frozen; absent where none were given
status.json       how far it is
place             random: another machine that goes on with the run in a folder of its own has another one
steps.json        the folders of the steps it used
report.html       the report, once there is one
card.md           the model card, with the energy that the run used
evaluation/       what the model gets wrong, as JSON and as a table a list
```
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pydantic

from tuneloop.api import RunError
from tuneloop.artifact import write_atomic, write_json

REQUEST, STATUS, STEPS, FEEDBACK, PROJECT, REPORT = (
    "request.json",
    "status.json",
    "steps.json",
    "feedback.jsonl",
    "tuneloop.yaml",
    "report.html",
)

_PLACE = "place"
_ALL = ".lock"
"""In the folder of all runs: shared by those at work."""


class Parent(pydantic.BaseModel):
    """The champion when the run began: its version, SHA-256 and artifact folder."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")
    version: str
    sha256: str
    folder: str


class RunRequest(pydantic.BaseModel):
    """What was asked for. `feedback` is the SHA-256 of the labelled rows, None where none were given."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")
    run: str
    project: str
    started: str
    who: str
    feedback: str | None = None
    parent: Parent | None = None
    promote: bool = False
    chosen: dict[str, Any] | None = None
    """What was chosen and found for the champion, by path; None where this is no retraining."""


class RunStatus(pydantic.BaseModel):
    """How far a run is.

    `checks` holds what the gate checked: whether each passed, and a sentence; `figures` by split and metric the value
    that the served model reaches, with the ends of its 95 % interval.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")
    state: Literal["running", "passed", "refused", "failed"] = "running"
    step: str = ""
    seconds: float = 0.0
    reasons: tuple[str, ...] = ()
    checks: tuple[tuple[bool, str], ...] = ()
    figures: dict[str, dict[str, dict[str, float]]] = {}
    version: str | None = None
    sha256: str | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: what was asked, how far it is, and whether a process is at work on it."""

    request: RunRequest
    status: RunStatus
    folder: Path
    active: bool

    @property
    def state(self) -> str:
        """`running`, `interrupted` (no process is at work on it), `passed`, `refused` or `failed`."""
        return "interrupted" if self.status.state == "running" and not self.active else self.status.state

    def as_json(self) -> dict[str, Any]:
        """Plain values for `tuneloop runs --json`."""
        return {
            **self.request.model_dump(mode="json", exclude={"parent", "chosen"}),
            **self.status.model_dump(mode="json"),
            "state": self.state,
        }


def new_run_id(now: datetime | None = None) -> str:
    """A run id such as `20261121-053012-ab12`; ids sort by time."""
    return f"{(now or datetime.now(UTC)):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def run_folder(state: Path, run: str) -> Path:
    """The folder of a run.

    Raises:
        RunError: The id is not one path part of letters, digits, `-`, `_` and `.`.
    """
    if not run or run.startswith(".") or not all((c.isalnum() and c.isascii()) or c in "-_." for c in run):
        raise RunError(f"{run!r} is no run id; `tuneloop runs` lists them")
    return state / "runs" / run


def create(state: Path, request: RunRequest, project: bytes, feedback: bytes | None) -> RunRequest:
    """Write the record of a new run; a run that has one keeps it.

    Args:
        state: The project's `.tuneloop`.
        request: Its `feedback` is filled in here.
        project: The project file.
        feedback: Labelled rows as JSON lines.
    """
    folder = run_folder(state, request.run)
    if (folder / REQUEST).exists():
        return read_request(folder)
    digest = hashlib.sha256(feedback).hexdigest() if feedback is not None else None
    request = request.model_copy(update={"feedback": digest})
    write_atomic(folder / PROJECT, project)
    if feedback is not None:
        write_atomic(folder / FEEDBACK, feedback)
    write_json(folder / STATUS, RunStatus().model_dump(mode="json"))
    # Written last: a run exists once its request does.
    write_json(folder / REQUEST, request.model_dump(mode="json"))
    return request


def read_request(folder: Path) -> RunRequest:
    """What was asked for.

    Raises:
        RunError: There is no such run, or its record cannot be read.
    """
    try:
        return RunRequest.model_validate_json((folder / REQUEST).read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"there is no run {folder.name!r}; `tuneloop runs` lists them") from error
    except (OSError, pydantic.ValidationError) as error:
        raise RunError(f"the record of run {folder.name!r} cannot be read: {error}") from error


def is_recorded(state: Path, run: str) -> bool:
    """Whether this machine knows the run. `state` is the project's `.tuneloop`."""
    return (run_folder(state, run) / REQUEST).exists()


def place_of(folder: Path) -> str:
    """What tells this folder of a run from one that another machine has of the same run. One process at a time."""
    path = folder / _PLACE
    if not path.exists():
        write_atomic(path, f"{secrets.token_hex(4)}\n".encode())
    return path.read_text(encoding="ascii").strip()


def read_status(folder: Path) -> RunStatus:
    """How far a run is."""
    try:
        return RunStatus.model_validate_json((folder / STATUS).read_bytes())
    except FileNotFoundError:
        return RunStatus()


def update_status(folder: Path, **changes: Any) -> RunStatus:
    """Change some fields of the status, atomically."""
    status = read_status(folder).model_copy(update=changes)
    write_json(folder / STATUS, status.model_dump(mode="json"))
    return status


def note_step(folder: Path, step: str, name: str, *, finished: bool) -> None:
    """Write down which folder of `steps/` a step of the run uses.

    Args:
        folder: The run's.
        step: The step.
        name: Its folder, or a part of it.
        finished: Whether the step is finished; before, an earlier attempt may have used another folder.
    """
    steps = read_steps(folder) or {}
    steps[step] = [name] if finished else sorted({*steps.get(step, ()), name})
    write_json(folder / STEPS, steps)


def read_steps(folder: Path) -> dict[str, list[str]] | None:
    """The folders of `steps/` that a run uses, by step; None where that was not written down."""
    try:
        return pydantic.TypeAdapter(dict[str, list[str]]).validate_json((folder / STEPS).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, pydantic.ValidationError) as error:
        raise RunError(f"the record of run {folder.name!r} cannot be read: {error}") from error


def list_runs(state: Path) -> list[RunRecord]:
    """All runs, newest first."""
    found = [
        RunRecord(read_request(path.parent), read_status(path.parent), path.parent, is_active(path.parent))
        for path in (state / "runs").glob(f"*/{REQUEST}")
    ]
    return sorted(found, key=lambda record: request_key(record.request), reverse=True)


def request_key(request: RunRequest) -> tuple[str, str]:
    """Sorts requests by time."""
    return request.started, request.run


def is_active(folder: Path) -> bool:
    """Whether a process is at work on the run."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


@contextmanager
def working_on(folder: Path) -> Iterator[None]:
    """Be the one process at work on a run.

    Raises:
        RunError: Another process is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _locked(folder.parent / _ALL, fcntl.LOCK_SH),
        _locked(
            folder / "lock",
            fcntl.LOCK_EX | fcntl.LOCK_NB,
            f"run {folder.name!r} is at work in another process; wait for it, or end it",
        ),
    ):
        yield


@contextmanager
def all_alone(state: Path) -> Iterator[None]:
    """No run is at work, and none begins.

    Raises:
        RunError: One is.
    """
    (state / "runs").mkdir(parents=True, exist_ok=True)
    busy = "a run is at work; wait for it, or end it: `tuneloop runs` shows it"
    with _locked(state / "runs" / _ALL, fcntl.LOCK_EX | fcntl.LOCK_NB, busy):
        yield


@contextmanager
def _locked(path: Path, how: int, busy: str = "") -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, how)
        except BlockingIOError as error:
            raise RunError(busy) from error
        yield
    finally:
        os.close(handle)

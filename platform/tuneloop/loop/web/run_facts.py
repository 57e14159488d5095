"""What is known of runs: the loop's record of those it started, and the pipeline's record of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import RunError
from tuneloop.loop.records import LoopRun
from tuneloop.loop.web.render import seconds_of
from tuneloop.pipeline.runs.cache import load_result
from tuneloop.pipeline.runs.records import REPORT, RunRecord, RunStatus, list_runs, read_status, read_steps, run_folder
from tuneloop.pipeline.runs.workflow import STEPS

if TYPE_CHECKING:
    from tuneloop.loop.web.site import Site

_MOST_RUNS = 500
GOOD, BAD = ("promoted", "passed"), ("failed", "refused", "rolled-back", "declined", "interrupted")


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list. Times are Unix seconds; `ended` is None while it is at work."""

    id: str
    why: str
    started: float
    ended: float | None
    outcome: str
    step: str
    reason: str
    version: str | None
    by_loop: bool


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of a run: `finished` or not, its seconds, whether an earlier result was taken, and its figures."""

    name: str
    finished: bool
    seconds: float
    figures: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run in full. `checks` are those of the gate: passed or not, and a sentence with the figures."""

    row: RunRow
    steps: tuple[StepRow, ...]
    checks: tuple[tuple[bool, str], ...]
    reasons: tuple[str, ...]
    attempt: int
    has_report: bool
    problem: str


def list_rows(site: Site) -> list[RunRow]:
    """All runs, newest first.

    Raises:
        RunError: The record of one cannot be read.
    """
    mine = {run.run: run for run in site.brain.decisions.recent_runs(_MOST_RUNS)}
    state = site.project.state
    rows = [_of_loop(run, read_status(run_folder(state, run.run))) for run in mine.values()]
    rows += [_of_pipeline(record) for record in list_runs(state) if record.request.run not in mine]
    return sorted(rows, key=lambda row: (row.started, row.id), reverse=True)


def read_run(site: Site, run: str) -> RunFacts | None:
    """One run; None where there is none with this id."""
    try:
        folder = run_folder(site.project.state, run)
    except RunError:
        return None
    mine = site.brain.decisions.run(run)
    if mine is None and not folder.is_dir():
        return None
    try:
        status = read_status(folder)
        row = _of_loop(mine, status) if mine is not None else _row_of_folder(site, run)
        steps, checks = _steps(folder, status)
    except (RunError, ValueError, KeyError) as error:
        if mine is None:
            return None
        return RunFacts(_of_loop(mine, RunStatus()), (), (), (), 1, False, f"its folder cannot be read: {error}")
    if row is None:
        return None
    return RunFacts(row, steps, checks, status.reasons, status.attempt, report_of(site, run) is not None, "")


def report_of(site: Site, run: str) -> Path | None:
    """The report of a run; None where there is none. Nothing outside of the folder of runs is ever given."""
    try:
        folder = run_folder(site.project.state, run)
    except RunError:
        return None
    path = (folder / REPORT).resolve()
    inside = path.is_relative_to((site.project.state / "runs").resolve())
    return path if inside and path.is_file() else None


def _row_of_folder(site: Site, run: str) -> RunRow | None:
    return next((_of_pipeline(record) for record in list_runs(site.project.state) if record.request.run == run), None)


def _of_loop(run: LoopRun, status: RunStatus) -> RunRow:
    step = status.step if run.ended is None and status.state == "running" else ""
    version = run.version or status.version
    return RunRow(run.run, run.why, run.started, run.ended, run.outcome, step, run.reason, version, by_loop=True)


def _of_pipeline(record: RunRecord) -> RunRow:
    request, status = record.request, record.status
    started = seconds_of(request.started)
    ended = None if status.state == "running" else started + status.seconds
    return RunRow(
        request.run,
        f"started by {request.who}",
        started,
        ended,
        record.state,
        status.step if record.state == "running" else "",
        "; ".join(status.reasons),
        status.version,
        by_loop=False,
    )


def _steps(folder: Path, status: RunStatus) -> tuple[tuple[StepRow, ...], tuple[tuple[bool, str], ...]]:
    rows: list[StepRow] = []
    checks: tuple[tuple[bool, str], ...] = ()
    found = read_steps(folder) or {}
    for name in sorted(found, key=_place):
        parts = found[name]
        # A part is the folder of a step, or a folder in it.
        place = folder.parent.parent / "steps" / parts[0].partition("/")[0]
        result = load_result(name, place) if name != status.step or status.state != "running" else None
        if result is None:
            rows.append(StepRow(name, False, 0.0, ""))
            continue
        rows.append(StepRow(name, True, result.seconds, _figures(result.summary)))
        if name == "gate":
            checks = tuple((bool(check["passed"]), str(check["text"])) for check in result.output.get("checks", ()))
    return tuple(rows), checks


def _place(step: str) -> int:
    """Where a step stands in the pipeline."""
    names = [one.name for one in STEPS]
    return names.index(step) if step in names else len(names)


def _figures(summary: Mapping[str, Any]) -> str:
    def text(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return " · ".join(f"{name} {text(value)}" for name, value in summary.items())

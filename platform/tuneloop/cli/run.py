"""`tuneloop run` and `tuneloop runs`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import project as shared

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.pipeline import Listener, RunResult

EXIT_REFUSED, EXIT_STOPPED = 2, 130
NEWEST = "newest"
KEPT_RUNS = 5


@click.command()
@shared.project_option
@click.option(
    "--resume",
    is_flag=False,
    flag_value=NEWEST,
    metavar="[RUN]",
    help="Go on with a run that was killed or failed; without an id, the newest such run.",
)
@click.option(
    "--feedback",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Labelled production rows to mix in: a JSON object with key, row and label a line.",
)
@click.option("--promote", is_flag=True, help="Make it the champion if it passes the gate.")
def run(project: Path | None, resume: str | None, feedback: Path | None, promote: bool) -> None:
    """Run the pipeline: load, tune, evaluate, export, gate, register, package.

    With model.candidates, base models are compared first, by a probe and by their cost, and the best within the limits
    is tuned. With search, options are looked for first, on the validation rows; --resume goes on with it trial by
    trial. Steps whose inputs are unchanged are taken from earlier runs. The first version that passes the gate becomes
    the champion; a later one waits for `tuneloop promote`. A refusal by the gate ends with exit code 2.
    """
    if resume is not None and (feedback is not None or promote):
        raise click.UsageError("--resume goes on with what was asked for then; it takes no --feedback and no --promote")
    loaded, plugins = shared.load(project)
    from tuneloop.pipeline import project_changed, resume_run, run_pipeline

    with stoppable(), progress_shown() as listen:
        if resume is not None:
            wanted = None if resume == NEWEST else resume
            if project_changed(loaded, wanted):
                click.echo("note: tuneloop.yaml was edited since; the run goes on with the file as it was", err=True)
            result = resume_run(loaded, plugins, wanted, listen=listen)
        else:
            result = run_pipeline(loaded, plugins, feedback=feedback, promote=promote, listen=listen)
    _conclude(result)


@click.command()
@shared.project_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--prune",
    type=click.IntRange(0),
    is_flag=False,
    flag_value=KEPT_RUNS,
    metavar="[N]",
    help=f"Remove the steps that only runs before the newest N used; without a number, {KEPT_RUNS}.",
)
def runs(project: Path | None, as_json: bool, prune: int | None) -> None:
    """List the project's runs, newest first.

    With --prune, files of old steps are removed first. The steps of runs that were cut off, and of versions with an
    alias such as champion, stay; so do all versions and all records of runs.
    """
    loaded, _ = shared.load(project)
    from tuneloop.pipeline import list_runs

    if prune is not None:
        _prune(loaded, prune)
    records = list_runs(loaded.state)
    if as_json:
        click.echo(json.dumps([record.as_json() for record in records], indent=1))
        return
    if not records:
        click.echo("no runs yet; `tuneloop run` starts one")
        return
    from rich.table import Table

    table = Table("run", "state", "step", "started", "seconds", "version", "who", box=None, pad_edge=False)
    for record in records:
        status = record.status
        seconds = f"{status.seconds:.0f}" if status.seconds else ""
        request = record.request
        table.add_row(
            request.run, record.state, status.step, request.started, seconds, status.version or "", request.who
        )
    shared.console().print(table)


def _prune(project: Project, keep: int) -> None:
    from tuneloop.pipeline import prune_steps

    done = prune_steps(project, keep)
    count = "1 step" if done.folders == 1 else f"{done.folders} steps"
    click.echo(f"removed {count}, {done.bytes / 1e6:.1f} MB; kept those of {len(done.runs)} runs", err=True)


def _conclude(result: RunResult) -> None:
    """Say how the run ended and how to go on."""
    passed = result.state == "passed"
    click.echo(f"run {result.run}: {result.state} in {result.seconds:.0f} s, version {result.version}")
    for reason in result.reasons:
        click.echo(f"  refused: {reason}")
    for warning in result.warnings:
        click.echo(f"  warning: {warning}")
    click.echo(f"  report: {result.report}")
    if result.bento:
        click.echo(f"  bento: {result.bento}; `tuneloop build` shows where it is and how to serve it elsewhere")
    if passed and result.promoted:
        click.echo("  it is the champion; serve it with: tuneloop serve")
    elif passed:
        click.echo(f"  make it the champion with: tuneloop promote {result.version} --why REASON")
    if not passed:
        raise click.exceptions.Exit(EXIT_REFUSED)


@contextmanager
def stoppable() -> Iterator[None]:
    """End at once on Ctrl-C and SIGTERM: a run is made to be cut off anywhere."""

    def stop(_: int, __: FrameType | None) -> None:
        # No clean-up, as after a power cut: training threads cannot be asked to stop, and need not be.
        os.write(2, b"\nstopped; go on with: tuneloop run --resume\n")
        os._exit(EXIT_STOPPED)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_shown() -> Iterator[Listener]:
    """A listener that shows steps as they come: live on a terminal, one line a step elsewhere."""
    out = shared.console(stderr=True)
    if not out.is_terminal:
        yield _lines(lambda text: click.echo(text, err=True))
        return
    with out.status("starting") as status:

        def show(text: str) -> None:
            # Lines of a table that is wider than the terminal are left to it: broken here, they could not be read.
            out.print(text, markup=False, soft_wrap=True)

        plain = _lines(show)

        def listen(event: Any) -> None:
            if event.kind == "started":
                status.update(f"{event.step} ...")
            elif event.kind == "record":
                status.update(f"{event.step}: {_figures(event.data)}")
            plain(event)

        yield listen


def _lines(show: Callable[[str], None]) -> Listener:
    def listen(event: Any) -> None:
        if event.kind == "record":
            show(f"  {'':9}         {_figures(event.data)}")
        elif event.kind == "finished":
            took = "  reused" if event.reused else f"{event.seconds:6.1f} s"
            show(f"  {event.step:<9} {took}  {_figures(event.data)}")
            for line in event.table.splitlines():
                show(f"  {'':9}         {line}")

    return listen


def _figures(data: Any) -> str:
    return ", ".join(f"{name} {_figure(value)}" for name, value in data.items())


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

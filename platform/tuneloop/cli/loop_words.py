"""What people tell the loop: `approve`, `decline`, `pause`, `resume`. The loop need not be running."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import project as shared

if TYPE_CHECKING:
    from rich.console import Console

    from tuneloop.loop.history import Standing
    from tuneloop.loop.records import Database

_who = click.option("--who", default=None, help="Who says so; by default the user of this terminal.")
_why = click.option("--why", default="", help="For what reason; it is recorded.")


@click.command()
@click.argument("run")
@shared.project_option
@_who
@_why
@click.pass_context
def approve(context: click.Context, run: str, project: Path | None, who: str | None, why: str) -> None:
    """Let a RUN that waits for a word go on; `tuneloop loop status` names those that do."""
    from tuneloop.loop.deciding import approvals

    with _records(context, project) as database:
        found = approvals.approve(database, run, who or getpass.getuser(), why)
    click.echo(f"run {run} may roll out version {found.version}")


@click.command()
@click.argument("run")
@shared.project_option
@_who
@click.option("--why", required=True, help="For what reason; it is recorded.")
@click.pass_context
def decline(context: click.Context, run: str, project: Path | None, who: str | None, why: str) -> None:
    """End a RUN that waits for a word; the champion stays."""
    from tuneloop.loop.deciding import approvals

    with _records(context, project) as database:
        found = approvals.decline(database, run, who or getpass.getuser(), why)
    click.echo(f"run {run} ends; version {found.version} is not rolled out")


@click.command()
@shared.project_option
@_who
@_why
@click.pass_context
def pause(context: click.Context, project: Path | None, who: str | None, why: str) -> None:
    """Start no run from now on; one that is at work goes on."""
    from tuneloop.loop.deciding import pause as flag

    with _records(context, project) as database:
        click.echo(flag.pause(database, who or getpass.getuser(), why).sentence)


@click.command()
@shared.project_option
@_who
@click.pass_context
def resume(context: click.Context, project: Path | None, who: str | None) -> None:
    """Let runs start again; alerts that still fire are decided anew."""
    from tuneloop.loop.deciding import pause as flag

    with _records(context, project) as database:
        ended = flag.resume(database, who or getpass.getuser())
    click.echo("runs may start again" if ended is not None else "the loop was not paused")


@contextmanager
def _records(context: click.Context, project: Path | None) -> Iterator[Database]:
    loaded, _ = shared.load(project or context.obj)
    from tuneloop.loop.records import Database, database_url

    database = Database(database_url(loaded.state), loaded.name)
    try:
        yield database
    finally:
        database.close()


def show_standing(standing: Standing, console: Console) -> None:
    """Who paused the loop, what waits for a word, and the stages of the run at work with their figures so far."""
    from rich.markup import escape
    from rich.table import Table

    if standing.paused is not None:
        console.print(standing.paused, markup=False)
    for one in standing.waiting:
        said = f"run {one.run} waits for a word on version {one.version}: tuneloop loop approve {one.run}"
        console.print(said, markup=False, soft_wrap=True)
    if standing.stages:
        table = Table(
            "stage", "since", "seconds", "figures", title=f"Run {standing.stages[0].run}", title_justify="left"
        )
        for stage in standing.stages:
            since = datetime.fromtimestamp(stage.started).astimezone().strftime("%Y-%m-%d %H:%M:%S")
            seconds = (stage.ended or time.time()) - stage.started
            at_work = "" if stage.ended else " ..."
            table.add_row(stage.stage, since, f"{seconds:.0f}{at_work}", escape(stage.sentence))
        console.print(table)


COMMANDS = (approve, decline, pause, resume)

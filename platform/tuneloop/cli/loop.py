"""`tuneloop loop`: the loop in the foreground, and what it decided."""

from __future__ import annotations

import getpass
import json
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import project as shared
from tuneloop.cli.loop_words import COMMANDS, show_standing

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.loop.deciding.approvals import Approval
    from tuneloop.loop.records import AlertRecord, LoopRun
    from tuneloop.loop.stages import Stage
    from tuneloop.loop.watch import Watch

_SHOWN = 20


@click.group(invoke_without_command=True)
@shared.project_option
@click.option("--port", type=click.IntRange(0, 65535), help="Port; by default `retrain.port`. 0 takes a free one.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Who reaches it can read /status and /metrics; everything else needs the token.",
)
@click.option(
    "--server",
    "--server-url",
    "servers",
    metavar="URL",
    multiple=True,
    help="A server to try and prove new versions on, each by its own address, or dns+http://NAME:PORT for all that the "
    "name resolves to; by default that of the project.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the bearer token; made where it is not there. By default .tuneloop/loop.token.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Also watch the server: with Prometheus and Alertmanager where they are on the PATH, else without.",
)
@click.option(
    "--page-host",
    "page_hosts",
    metavar="NAME",
    multiple=True,
    help="A name that browsers reach the page by, such as that of a proxy; localhost and addresses need none.",
)
@click.option(
    "--prometheus",
    metavar="URL",
    default="",
    help="A Prometheus that watches the servers, for the page's curves; by default that of --watch, or the store.",
)
@click.pass_context
def loop(
    context: click.Context,
    project: Path | None,
    port: int | None,
    host: str,
    servers: tuple[str, ...],
    token_file: Path | None,
    watch: bool,
    page_hosts: tuple[str, ...],
    prometheus: str,
) -> None:
    """Listen for alerts, retrain, and promote what passes the gate, until Ctrl-C."""
    context.obj = project
    if context.invoked_subcommand is not None:
        return
    loaded, plugins = shared.load(project)
    from tuneloop.loop.server import LoopSettings, serve_loop, token_path

    token = token_file or token_path(loaded)
    settings = LoopSettings(
        port=loaded.retrain.port if port is None else port,
        server_url=servers or None,
        token_file=token,
        watch=watch,
        host=host,
        waits=lambda url: click.echo(f"another loop of {loaded.name} leads; this one waits at {url}"),
        ready=lambda url, watch: _welcome(loaded, url, token, watch),
        page_hosts=page_hosts,
        prometheus=prometheus,
    )
    serve_loop(loaded, plugins, settings)
    click.echo("stopped; a run that was at work goes on at the next start")


@loop.command()
@shared.project_option
@click.option("--who", default=None, help="Who signs in; by default the user of this terminal.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The token file of the running loop. By default .tuneloop/loop.token.",
)
@click.pass_context
def page(context: click.Context, project: Path | None, who: str | None, token_file: Path | None) -> None:
    """Print a link to the page of the running loop; it signs you in once, within five minutes."""
    loaded, _ = shared.load(project or context.obj)
    from tuneloop.loop.web.link import login_link

    click.echo(login_link(loaded, who or getpass.getuser(), token_file))


@loop.command()
@shared.project_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(context: click.Context, project: Path | None, as_json: bool) -> None:
    """Show runs and decisions with their reasons; the loop need not be running."""
    loaded, _ = shared.load(project or context.obj)
    from tuneloop.loop.history import read_history, read_standing

    alerts, runs = read_history(loaded, _SHOWN)
    standing = read_standing(loaded)
    if as_json:
        content = {
            "runs": [_plain(run) for run in runs],
            "decisions": [_plain(alert) for alert in alerts],
            "paused": standing.paused,
            "waiting": [_plain(approval) for approval in standing.waiting],
            "stages": [_plain(stage) for stage in standing.stages],
            "next_scheduled": _next_time(loaded),
        }
        click.echo(json.dumps(content, indent=1))
        return
    show_standing(standing, shared.console())
    if (coming := _next_time(loaded)) is not None:
        click.echo(f"next scheduled run: {_time(coming)}")
    if not alerts:
        click.echo("no alert has reached the loop yet; `tuneloop loop` listens for them")
        return
    _show(alerts, runs)


def _show(alerts: list[AlertRecord], runs: list[LoopRun]) -> None:
    from rich.table import Table

    console = shared.console()
    if runs:
        table = Table("run", "started", "seconds", "outcome", "version", "reason", title="Runs", title_justify="left")
        for run in runs:
            seconds = "" if run.ended is None else f"{run.ended - run.started:.0f}"
            table.add_row(run.run, _time(run.started), seconds, run.outcome, run.version or "", run.reason)
        console.print(table)
    table = Table("decided", "alert", "signal", "version", "outcome", "reason", "why", "times", "firing")
    table.title, table.title_justify = "Decisions", "left"
    for record in alerts:
        names = (record.alert, record.signal, record.version, record.outcome, str(record.reason), record.sentence)
        table.add_row(_time(record.decided), *names, str(record.times), "yes" if record.firing else "no")
    console.print(table)


def _welcome(project: Project, url: str, token: Path, watch: Watch | None) -> None:
    click.echo(f"the loop of {project.name} listens at {url}  (stop with Ctrl-C)")
    click.echo(f"its page: {url}/page/  (`tuneloop loop page` prints a link that signs you in)")
    if watch is not None:
        click.echo(f"watched by {watch.what}")
        for name, page in watch.pages.items():
            click.echo(f"  {name}: {page}")
    else:
        _explain_receiver(url, token)
    on = ", ".join(project.retrain.on)
    click.echo(f"retrains on: {on}" if on else "retrains on nothing: `retrain.on` is empty, it only listens")
    if (coming := _next_time(project)) is not None:
        click.echo(f"retrains by schedule, next at {_time(coming)}")


def _next_time(project: Project) -> float | None:
    """The next time of the project's schedule, in Unix seconds; None where it has none."""
    from tuneloop.loop.deciding.schedule import Schedule

    schedule = Schedule.of(project.retrain)
    return None if schedule is None else schedule.next(time.time())


def _explain_receiver(url: str, token: Path) -> None:
    click.echo("Alertmanager reaches it with this receiver:")
    click.echo("  receivers:")
    click.echo("    - name: tuneloop")
    click.echo("      webhook_configs:")
    click.echo(f"        - url: {url}/alerts")
    click.echo("          send_resolved: true")
    click.echo("          http_config:")
    click.echo(f"            authorization: {{type: Bearer, credentials_file: {token.resolve()}}}")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _plain(record: AlertRecord | LoopRun | Approval | Stage) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__slots__}


for command in COMMANDS:
    loop.add_command(command)

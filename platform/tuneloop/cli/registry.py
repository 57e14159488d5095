"""`tuneloop models`, `promote`, `rollback` and `ui`."""

from __future__ import annotations

import getpass
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import project as shared

if TYPE_CHECKING:
    from tuneloop.config import Project

_who = click.option("--who", default=None, help="Who does it; by default the user of this terminal.")


@click.command()
@shared.project_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--history", is_flag=True, help="Who moved or challenged the champion, when and why.")
def models(project: Path | None, as_json: bool, history: bool) -> None:
    """List the registered versions and their aliases."""
    loaded, _ = shared.load(project)
    from tuneloop.registry import Registry

    registry = Registry(loaded)
    found = registry.history() if history else registry.versions()
    tried = {} if history else _tried(loaded)
    if as_json:
        records = [asdict(item) for item in found]
        for record in records if not history else ():
            record["tried"] = tried.get(record["number"])
        click.echo(json.dumps(records, indent=1))
        return
    if not found:
        click.echo("the champion was never moved" if history else "no versions yet; `tuneloop run` makes one")
        return
    from rich.table import Table

    if history:
        table = Table("when", "what", "version", "before", "who", "why", box=None, pad_edge=False)
        for move in registry.history():
            table.add_row(move.when, move.kind, move.version, move.previous or "", move.who, move.why)
    else:
        table = Table("version", "aliases", "gate", "created", "run", "artifact", "test", box=None, pad_edge=False)
        for item in registry.versions():
            test = [f"{n[5:]} {v:.4f}" for n, v in item.metrics.items() if n.startswith("test/")]
            aliases = ", ".join([*item.aliases, *([tried[item.number]] if item.number in tried else [])])
            table.add_row(item.number, aliases, item.gate, item.created, item.run, item.sha256[:12], ", ".join(test))
    shared.console().print(table)


def _tried(project: Project) -> dict[str, str]:
    """By version, how it is tried beside the champion."""
    from tuneloop.pipeline.promoting.promotion import current_channel

    channel = current_channel(project)
    entry = None if channel is None else channel.challenger
    if entry is None:
        return {}
    by = f" by {entry.by}" if entry.by else ""
    return {entry.version: entry.mode if entry.mode == "shadow" else f"canary {entry.share:.4g}{by}"}


@click.command()
@shared.project_option
@click.argument("version")
@click.option("--why", required=True, help="For what reason; it is recorded.")
@_who
def promote(project: Path | None, version: str, why: str, who: str | None) -> None:
    """Make VERSION (a number, or an alias such as challenger) the champion; running servers take it."""
    loaded, plugins = shared.load(project)
    from tuneloop.pipeline import promote as do

    move = do(loaded, plugins, version, who=who or getpass.getuser(), why=why)
    before = f"; version {move.previous} is kept as previous" if move.previous else ""
    click.echo(f"version {move.version} of {loaded.name} is the champion{before}")


@click.command()
@shared.project_option
@click.option("--why", required=True, help="For what reason; it is recorded.")
@_who
def rollback(project: Path | None, why: str, who: str | None) -> None:
    """Make the previous champion the champion again; running servers take it."""
    loaded, plugins = shared.load(project)
    from tuneloop.pipeline import rollback as do

    move = do(loaded, plugins, who=who or getpass.getuser(), why=why)
    click.echo(f"version {move.version} of {loaded.name} is the champion again; it was version {move.previous}")


@click.command()
@shared.project_option
@click.option("--port", default=5000, show_default=True, help="Port on 127.0.0.1.")
def ui(project: Path | None, port: int) -> None:
    """Open MLflow's page on the project's runs and models."""
    loaded, _ = shared.load(project)
    from tuneloop.registry import Registry
    from tuneloop.registry.tracking import quiet_environment

    registry = Registry(loaded)
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", registry.uri]
    click.echo(f"MLflow on http://127.0.0.1:{port} (Ctrl-C ends it)")
    os.execve(sys.executable, command, {**quiet_environment(), **os.environ})  # noqa: S606

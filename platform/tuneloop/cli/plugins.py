"""`tuneloop plugins`: list, explain, check and block plugins. None of it needs a broken plugin to import."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tuneloop.api import TuneloopError
from tuneloop.cli import plugin_pages as pages
from tuneloop.cli.plugin_new import new_plugin
from tuneloop.cli.plugin_reference import print_reference
from tuneloop.cli.project import console, load_survivors, locate, probe_plugins, project_option
from tuneloop.config import PROJECT_FILE, block_in_project, unblock_in_project
from tuneloop.plugins import block as block_distribution
from tuneloop.plugins import blocklist_path
from tuneloop.plugins import unblock as unblock_distribution
from tuneloop.plugins.discovery import HOME, discover
from tuneloop.plugins.names import nearest

# Without the environment variable of other commands: what is written where must be seen on the line.
_stored_in = click.option(
    "-p",
    "--project",
    type=click.Path(path_type=Path),
    help="Project folder or file whose tuneloop.yaml holds it; otherwise your own configuration does.",
)


@click.group()
def plugins() -> None:
    """List, explain, check and block plugins.

    \b
    TUNELOOP_PLUGINS_DISABLE=a,b   leave out these distributions
    TUNELOOP_PLUGINS_ONLY=a,b      leave out all others but Tuneloop's own
    TUNELOOP_PLUGINS_TIMEOUT=30    seconds that loading one plugin may take
    TUNELOOP_TRACE_PLUGINS=1       print each call of a plugin

    In a project folder, `plugins.block` and `plugins.only` of its tuneloop.yaml count too.
    """  # noqa: D301 - click marks a paragraph with a real backspace


plugins.add_command(new_plugin)
plugins.add_command(print_reference)


@plugins.command("list")
@project_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a plugin.")
def list_plugins(project: Path | None, as_json: bool) -> None:
    """List all plugins, their state, where they came from, and what they bring."""
    records = probe_plugins(_existing(project)).records
    if as_json:
        click.echo(json.dumps([asdict(record) for record in records], indent=2))
        return
    pages.print_list(console(), records)


@plugins.command()
@click.argument("name")
@project_option
@click.option("--json", "as_json", is_flag=True, help="The records of the plugins of this name, as JSON.")
def show(name: str, project: Path | None, as_json: bool) -> None:
    """Explain a plugin, a class (such as csv), or a hook and its order of calls."""
    file = locate(_existing(project))
    found = probe_plugins(file)
    if as_json:
        records = pages.records_of(found.records, name)
        click.echo(json.dumps([asdict(record) for record in records], indent=2))
        return
    pages.print_page(console(), load_survivors(file, found), name)


@plugins.command()
@project_option
@click.option("--traceback", is_flag=True, help="Show the whole traceback of each error.")
@click.pass_context
def doctor(ctx: click.Context, project: Path | None, traceback: bool) -> None:
    """Say what is wrong with plugins, and how long imports took.

    Each is imported in another process, so none can hang or end this one. Exit code 1 where something is wrong.
    """
    records = probe_plugins(_existing(project)).records
    ctx.exit(1 if pages.print_doctor(console(), records, traceback=traceback) else 0)


@plugins.command()
@click.argument("distribution")
@_stored_in
def block(distribution: str, project: Path | None) -> None:
    """Never import the plugins of a DISTRIBUTION.

    It is the name that pip shows. Stored in your own configuration, for all projects; with --project in the
    project's tuneloop.yaml, for all who work with it.
    """
    key = _checked(distribution)
    installed = {candidate.key: candidate.distribution for candidate in discover()}
    file = _named(project)
    new = block_distribution(distribution) if file is None else block_in_project(file, distribution)
    click.echo(f"{distribution} is {'now' if new else 'already'} blocked ({file or blocklist_path()}).")
    if key not in installed:
        guess = nearest(distribution, installed.values())
        click.echo(f"note: no installed distribution of this name has plugins.{guess}", err=True)


@plugins.command()
@click.argument("distribution")
@_stored_in
def unblock(distribution: str, project: Path | None) -> None:
    """Allow the plugins of a blocked DISTRIBUTION again.

    --project as for `block`.
    """
    _checked(distribution)
    file = _named(project)
    done = unblock_distribution(distribution) if file is None else unblock_in_project(file, distribution)
    if not done:
        raise TuneloopError(f"{distribution} is not blocked in {file or blocklist_path()}.")
    click.echo(f"{distribution} is no longer blocked.")


def _checked(distribution: str) -> str:
    """The normalised name."""
    from packaging.utils import InvalidName, canonicalize_name

    try:
        key = canonicalize_name(distribution, validate=True)
    except InvalidName as error:
        raise TuneloopError(f"{distribution!r} is not the name of a distribution; `pip list` shows them") from error
    if key == HOME:
        raise TuneloopError("the built-in plugins of tuneloop itself cannot be blocked")
    return key


def _named(project: Path | None) -> Path | None:
    """The project file that `--project` names; None where it is not given."""
    return None if project is None else locate(_existing(project))


def _existing(project: Path | None) -> Path | None:
    if project is not None and locate(project) is None:
        raise TuneloopError(f"there is no {PROJECT_FILE} in {project}. Write one with `tuneloop init`.")
    return project

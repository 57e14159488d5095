"""`tuneloop plugins new`: start a plugin from a template."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli.project import load_plugins
from tuneloop.cli.scaffold import TEMPLATES, read_names, write_plugin


@click.command("new")
@click.argument("name")
@click.option("--kind", required=True, type=click.Choice(list(TEMPLATES)), help="What it brings.")
@click.option(
    "--in",
    "parent",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="the current folder",
    help="The folder in which the project's folder is made.",
)
def new_plugin(name: str, kind: str, parent: Path) -> None:
    """Write a plugin that installs, works and passes its tests.

    NAME is the name that pip will show, such as tuneloop-exact-share.
    """
    of = TEMPLATES[kind].kind
    names = read_names(name, kind, load_plugins().names(of) if of else ())
    folder = write_plugin(names, kind, parent)
    click.echo(f"{folder} holds the {TEMPLATES[kind].title} {names.plugin!r}: change src/{names.module}/__init__.py.\n")
    for line in (f"cd {folder}", "pip install -e '.[test]'", "pytest", f"tuneloop plugins show {names.distribution}"):
        click.echo(f"  {line}")

"""`tuneloop schema`."""

from __future__ import annotations

import json

import click

from tuneloop.cli.project import load_plugins
from tuneloop.config import project_schema


@click.command()
def schema() -> None:
    """Print the JSON schema of tuneloop.yaml, with the options of every loaded plugin.

    Save it beside a project and add the comment below to its tuneloop.yaml: editors with YAML's language server
    then complete and check as you type.

    \b
      tuneloop schema > tuneloop.schema.json
      # yaml-language-server: $schema=tuneloop.schema.json
    """  # noqa: D301 - click marks a paragraph with a real backspace
    click.echo(json.dumps(project_schema(load_plugins()), indent=2))

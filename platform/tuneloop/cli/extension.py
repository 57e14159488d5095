"""Commands that plugins add to the command line."""

from __future__ import annotations

import logging

import click

from tuneloop.api import PluginConflictError
from tuneloop.plugins import PluginRecord
from tuneloop.plugins.manager import ways_out

logger = logging.getLogger("tuneloop.cli")


def plugin_command(name: str) -> click.Command | None:
    """The command that a plugin adds under this name; None where none does.

    Raises:
        PluginConflictError: Two plugins, or one plugin twice, add it; names them.
    """
    found = [(record, command) for record, added, command in _added() if added == name]
    if len(found) > 1:
        labels = " and ".join(record.label for record, _ in found)
        ways = ways_out(record.distribution for record, _ in found)
        raise PluginConflictError(f"the command {name!r} is added by {labels}, so neither can be used: {ways}")
    return found[0][1] if found else None


def _added() -> list[tuple[PluginRecord, str, click.Command]]:
    """Plugin, name and command of all that plugins add; none can replace a built-in."""
    from tuneloop.cli.main import COMMANDS
    from tuneloop.cli.project import load_plugins

    added: list[tuple[PluginRecord, str, click.Command]] = []
    for record, group in load_plugins().extend(_Scratch):
        for name, command in group.added:
            if name in COMMANDS:
                logger.warning("%s adds a command %r, which Tuneloop has already; it is left out", record.label, name)
            else:
                added.append((record, name, command))
    return added


class _Scratch(click.Group):
    """What one plugin adds to; remembers also what has the name of something else."""

    def __init__(self) -> None:
        super().__init__("tuneloop")
        self.added: list[tuple[str, click.Command]] = []

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        self.added.append((name or cmd.name or "", cmd))
        super().add_command(cmd, name)

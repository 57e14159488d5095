"""`tuneloop plugins new`: an installable plugin project from templates."""

from tuneloop.cli.scaffold.kinds import TEMPLATES
from tuneloop.cli.scaffold.names import Names, read_names
from tuneloop.cli.scaffold.write import write_plugin

__all__ = ["TEMPLATES", "Names", "read_names", "write_plugin"]

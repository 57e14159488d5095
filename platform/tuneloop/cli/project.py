"""What commands share: the project they work on, the plugins, and the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tuneloop.api import TuneloopError
from tuneloop.config import PROJECT_FILE, Project, load_project, project_plugins, read_rules
from tuneloop.plugins import PluginManager, Probe, default_manager, probe, standard_manager

if TYPE_CHECKING:
    from rich.console import Console

Function = TypeVar("Function", bound=Callable[..., Any])


def project_option(function: Function) -> Function:
    """Add `--project PATH`, given to the command as `project: Path | None`; see `load`."""
    return click.option(
        "-p",
        "--project",
        type=click.Path(path_type=Path),
        envvar="TUNELOOP_PROJECT",
        help="Project folder or file; otherwise the current folder or the nearest one above with a tuneloop.yaml.",
    )(function)


def load(project: Path | None) -> tuple[Project, PluginManager]:
    """The project to work on and the plugins it was checked against.

    Raises:
        TuneloopError: There is no project file; says where it was looked for.
        ConfigError: There is one, and it is wrong.
    """
    file = locate(project)
    if file is None:
        where = project if project is not None else f"{Path.cwd()} or any folder above it"
        raise TuneloopError(
            f"there is no {PROJECT_FILE} in {where}. Write one with `tuneloop init`, or name it with --project PATH."
        )
    plugins = load_plugins(file)
    return load_project(file, plugins), plugins


def locate(project: Path | None) -> Path | None:
    """The project file that `--project` means; None where there is none."""
    if project is not None:
        file = project / PROJECT_FILE if project.is_dir() else project
        return file if file.is_file() else None
    here = Path.cwd()
    return next((folder / PROJECT_FILE for folder in (here, *here.parents) if (folder / PROJECT_FILE).is_file()), None)


def load_plugins(project: Path | None = None) -> PluginManager:
    """The plugins that the project allows. What they print while being imported goes to standard error.

    Args:
        project: As for `locate`; without it, `TUNELOOP_PROJECT` is looked at too.
    """
    file = locate(project or _named())
    with contextlib.redirect_stdout(sys.stderr):
        return default_manager() if file is None else project_plugins(file)


def probe_plugins(project: Path | None = None) -> Probe:
    """What becomes of each plugin that the project allows, found in another process: none can hang this one.

    Args:
        project: As for `load_plugins`.
    """
    file = locate(project or _named())
    return probe(None if file is None else read_rules(file))


def load_survivors(file: Path | None, found: Probe) -> PluginManager:
    """The plugins that the project file allows, without those that `probe_plugins` found to hang or crash."""
    with contextlib.redirect_stdout(sys.stderr):
        return standard_manager(None if file is None else read_rules(file)).load(deadly=found.deadly)


def _named() -> Path | None:
    named = os.environ.get("TUNELOOP_PROJECT")
    return Path(named) if named else None


def console(*, stderr: bool = False) -> Console:
    """A rich console; plain text where the output is no terminal, and then wide enough that nothing is cut."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)

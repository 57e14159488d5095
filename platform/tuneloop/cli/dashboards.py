"""`tuneloop dashboards`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import click

from tuneloop.api import TuneloopError
from tuneloop.cli.project import load, project_option

DEFAULT_FOLDER = "grafana"


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write; by default grafana/ in the project's."
)
@click.option(
    "--prometheus",
    metavar="URL",
    default="http://127.0.0.1:9090",
    show_default=True,
    help="Address of Prometheus, as Grafana reaches it.",
)
@project_option
def dashboards(output: Path | None, prometheus: str, project: Path | None) -> None:
    """Write a Grafana dashboard of the model, and what Grafana and Prometheus need for it.

    Every signal that is served appears on it, those of plugins too. Files of the same names are overwritten.
    """
    from tuneloop.loop.watch import watch_values
    from tuneloop.monitoring.grafana import PROVISIONING, RULES, grafana_files

    if urlsplit(prometheus).scheme not in ("http", "https"):
        raise TuneloopError(f"--prometheus {prometheus!r} is no address; write it like http://127.0.0.1:9090")
    chosen, _ = load(project)
    folder = (output if output is not None else chosen.root / DEFAULT_FOLDER).absolute()
    values = watch_values(chosen)
    files = grafana_files(values, folder, prometheus)
    _write(folder, files)
    click.echo(f"Wrote into {folder}:")
    for name in files:
        click.echo(f"  {name}")
    click.echo()
    click.echo(
        f"Prometheus: add {folder / RULES} to rule_files, and the server's page, "
        f"http://{chosen.serve.host}:{chosen.serve.port}/metrics, to scrape_configs every {values.scrape_interval:g} s."
    )
    click.echo(f"Grafana:    start it with GF_PATHS_PROVISIONING={shlex.quote(str(folder / PROVISIONING))}")
    click.echo(f"            or copy what is in {PROVISIONING}/ into its own provisioning folder.")


def _write(folder: Path, files: dict[str, str]) -> None:
    from tuneloop.artifact import write_atomic

    for name, text in files.items():
        try:
            write_atomic(folder / name, text.encode())
        except OSError as error:
            reason = error.strerror or os.strerror(error.errno or 0)
            raise TuneloopError(
                f"{folder / name} cannot be written: {reason}. Choose another folder with --output FOLDER."
            ) from error

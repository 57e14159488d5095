"""`tuneloop dashboards`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from tuneloop.api import TuneloopError
from tuneloop.cli.project import load, project_option

if TYPE_CHECKING:
    from tuneloop.config import Project

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
@click.option(
    "--mounted", metavar="PATH", help="Where Grafana sees the folder, if that is another place, as in a container."
)
@click.option("--any-project", is_flag=True, help="Read no project: the same dashboards without rules.")
@click.option(
    "--kubernetes",
    is_flag=True,
    help="Also write them for kustomize: config maps, and a PrometheusRule of the project.",
)
@click.option("--mlflow", metavar="URL", help="Address of MLflow, to link to; by default `monitor.links.mlflow`.")
@project_option
def dashboards(
    output: Path | None,
    prometheus: str,
    mounted: str | None,
    any_project: bool,
    kubernetes: bool,
    mlflow: str | None,
    project: Path | None,
) -> None:
    """Write the Grafana dashboards, and what Grafana and Prometheus need for them.

    Every signal that is served appears on them, those of plugins too. One set shows all projects that a Prometheus
    knows: Grafana needs it once, Prometheus the rules of each. Files of the same names are overwritten.
    """
    from tuneloop.loop.watch import watch_values
    from tuneloop.monitoring.grafana.build import Look
    from tuneloop.monitoring.grafana.files import PROVISIONING, RULES, grafana_files
    from tuneloop.monitoring.kubernetes import KUSTOMIZATION, RULE, kustomization, prometheus_rule
    from tuneloop.monitoring.rules import rule_file

    _check_address("--prometheus", prometheus)
    if mlflow is not None:
        _check_address("--mlflow", mlflow)
    if any_project and output is None:
        raise TuneloopError("--any-project has no folder of its own; name one with --output FOLDER")
    chosen = None if any_project else load(project)[0]
    folder = _folder(output, chosen)
    values = None if chosen is None else watch_values(chosen)
    look = Look()
    if chosen is not None and values is not None:
        span = round(min(max(3600.0, values.window * 4), 604_800.0))
        look = Look(chosen.name, chosen.monitor.links.mlflow, span, round(max(5.0, values.scrape_interval)))
    if mlflow is not None:
        look = Look(look.model, mlflow, look.span, look.refresh)
    interval = 15.0 if values is None else values.scrape_interval
    files = grafana_files(look, folder=mounted or str(folder), prometheus=prometheus, scrape_interval=interval)
    if kubernetes:
        files[KUSTOMIZATION] = kustomization(
            (name for name in files if name.endswith(".json")), rules=values is not None
        )
    if values is not None:
        files[RULES] = rule_file(values)
        if kubernetes:
            files[RULE] = prometheus_rule(values)
    _write(folder, files)
    click.echo(f"Wrote into {folder}:")
    for name in files:
        click.echo(f"  {name}")
    click.echo()
    if chosen is not None:
        _explain_prometheus(chosen, folder / RULES, interval)
    seen = Path(mounted or folder) / PROVISIONING
    click.echo(f"Grafana:    start it with GF_PATHS_PROVISIONING={shlex.quote(str(seen))}")
    click.echo(f"            or copy what is in {PROVISIONING}/ into its own provisioning folder.")


def _explain_prometheus(project: Project, rules: Path, interval: float) -> None:
    server, loop = f"{project.serve.host}:{project.serve.port}", f"127.0.0.1:{project.retrain.port}"
    click.echo(f"Prometheus: add {rules} to rule_files, and to scrape_configs, every {interval:g} s:")
    click.echo(f"            the server's page http://{server}/metrics, and the loop's, http://{loop}/metrics.")


def _folder(output: Path | None, project: Project | None) -> Path:
    if output is not None:
        return output.absolute()
    assert project is not None
    return project.root / DEFAULT_FOLDER


def _check_address(option: str, address: str) -> None:
    if urlsplit(address).scheme not in ("http", "https"):
        raise TuneloopError(f"{option} {address!r} is no address; write it like http://127.0.0.1:9090")


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

"""`tuneloop build` and `tuneloop serve`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from tuneloop.cli.project import load, locate, project_option
from tuneloop.config import read_rules
from tuneloop.plugins import as_environment

if TYPE_CHECKING:
    from tuneloop.config import Project


@click.command()
@click.argument("version", default="champion")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", help="Which ONNX Runtime it will need.")
@project_option
def build(version: str, device: str, project: Path | None) -> None:
    """Package VERSION (a number or an alias, by default the champion) as a Bento."""
    from tuneloop.pipeline.package import bento_home
    from tuneloop.registry import Registry
    from tuneloop.serving.bento import bento_folder, build_bento

    chosen, _ = load(project)
    registry = Registry(chosen)
    number = registry.resolve(version).number
    home = bento_home(chosen.state)
    tag = build_bento(registry.fetch(number), number, home=home, device="gpu" if device == "gpu" else "cpu")
    click.echo(f"{tag} is in {bento_folder(home, tag)}")
    click.echo(f"serve it:  bentoml serve {bento_folder(home, tag)}")


@click.command()
@click.option("--host", help="Address to listen on; by default that of the project.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; by default that of the project.")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes; by default those of the project.")
@click.option("--threads", type=click.IntRange(1, 256), help="Computing threads a worker; by default the project's.")
@project_option
def serve(host: str | None, port: int | None, workers: int | None, threads: int | None, project: Path | None) -> None:
    """Serve the champion until Ctrl-C; a promotion changes the version without a restart."""
    from tuneloop.pipeline.promotion import channel_path
    from tuneloop.serving.server import default_store_url, server_home, start_server

    chosen, _ = load(project)
    address, listen = host or chosen.serve.host, port or chosen.serve.port
    bento = _champion_bento(chosen)
    log = chosen.state / "logs" / f"serve-{listen}.log"
    signal.signal(signal.SIGTERM, _interrupt)
    file = locate(project)
    if file is not None:
        os.environ.update(as_environment(read_rules(file)))
    with start_server(
        str(bento),
        home=server_home(chosen.state, listen),
        log=log,
        host=address,
        port=listen,
        workers=workers or chosen.serve.workers,
        threads=threads or chosen.serve.threads,
        channel=str(channel_path(chosen)),
        store_url=default_store_url(chosen.state),
    ) as server:
        try:
            server.wait_ready()
            click.echo(f"{chosen.name} answers at {server.url}  (log: {log}; stop with Ctrl-C)")
            status = server.wait()
        except KeyboardInterrupt:
            click.echo("stopping; requests under way are finished")
            return
    raise click.ClickException(f"the server ended by itself with status {status}; its log: {log}")


def _champion_bento(project: Project) -> Path:
    """The champion's Bento, built where it is not there, and the channel written from the registry."""
    from tuneloop.pipeline.package import bento_home
    from tuneloop.pipeline.promotion import publish
    from tuneloop.registry import CHAMPION, Registry
    from tuneloop.serving.bento import bento_folder, build_bento
    from tuneloop.serving.loader import serving_plugins

    registry = Registry(project)
    channel, artifact = publish(project, registry), registry.fetch(CHAMPION)
    # The server would refuse other plugins too, at the end of a traceback in its log.
    serving_plugins(artifact.manifest.plugins)
    home = bento_home(project.state)
    folder = bento_folder(home, f"{project.name}:{channel.champion.version}")
    if not (folder / "bento.yaml").is_file():
        build_bento(artifact, channel.champion.version, home=home)
    return folder


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt

"""`tuneloop build` and `tuneloop serve`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click
from click.decorators import FC

from tuneloop.cli.project import load, locate, project_option
from tuneloop.config import read_rules
from tuneloop.plugins import as_environment

if TYPE_CHECKING:
    from tuneloop.config import Project

_FILE = click.Path(path_type=Path, dir_okay=False, resolve_path=True)


@click.command()
@click.argument("version", default="champion")
@click.option(
    "--device", type=click.Choice(["cpu", "gpu"]), help="Which ONNX Runtime it will need; by default the project's."
)
@click.option(
    "--sign",
    type=_FILE,
    envvar="TUNELOOP_SIGN_KEY_FILE",
    show_envvar=True,
    help="Ed25519 private key (PEM) to sign it with: openssl genpkey -algorithm ed25519.",
)
@click.option("--hashes", is_flag=True, help="Put hashes into its requirements; pip is asked for them.")
@click.option(
    "--extra",
    "extras",
    multiple=True,
    metavar="NAME",
    help="What its server needs beside the model: s3 for a channel in an object store, postgres for a store there.",
)
@project_option
def build(
    version: str, device: str | None, sign: Path | None, hashes: bool, extras: tuple[str, ...], project: Path | None
) -> None:
    """Package VERSION (a number or an alias, by default the champion) as a Bento."""
    from tuneloop.pipeline.delivering.package import bento_home
    from tuneloop.registry import Registry
    from tuneloop.serving.packaging.bento import bento_folder, build_bento
    from tuneloop.serving.trust.signature import Signer

    chosen, _ = load(project)
    signer = None if sign is None else Signer(sign)
    registry = Registry(chosen)
    number = registry.resolve(version).number
    home = bento_home(chosen.state)
    tag = build_bento(
        registry.fetch(number),
        number,
        home=home,
        device="gpu" if (device or chosen.serve.device) == "gpu" else "cpu",
        signer=signer,
        hashes=hashes,
        extras=extras,
        policy=chosen.store,
    )
    click.echo(f"{tag} is in {bento_folder(home, tag)}{', signed' if signer else ''}")
    click.echo(f"serve it:  bentoml serve {bento_folder(home, tag)}")


def _token_option(role: str, opens: str) -> Callable[[FC], FC]:
    variable = f"TUNELOOP_{role.upper()}_TOKEN_FILE"
    said = f"File with the bearer tokens, one a line, that open {opens}."
    return click.option(f"--{role}-tokens", type=_FILE, envvar=variable, show_envvar=True, help=said)


@click.command()
@click.option("--host", help="Address to listen on; by default that of the project.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; by default that of the project.")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes; by default those of the project.")
@click.option("--threads", type=click.IntRange(1, 256), help="Computing threads a worker; by default the project's.")
@_token_option("predict", "/predict and /v2")
@_token_option("feedback", "/feedback")
@_token_option("admin", "/metrics and the API's pages")
@click.option(
    "--verify",
    type=_FILE,
    envvar="TUNELOOP_VERIFY_KEY_FILE",
    show_envvar=True,
    help="Ed25519 public keys (PEM); only versions that one of them verifies are served.",
)
@click.option(
    "--insecure",
    is_flag=True,
    envvar="TUNELOOP_INSECURE",
    show_envvar=True,
    help="Listen beyond this machine although no tokens are asked for.",
)
@project_option
def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    threads: int | None,
    predict_tokens: Path | None,
    feedback_tokens: Path | None,
    admin_tokens: Path | None,
    verify: Path | None,
    insecure: bool,
    project: Path | None,
) -> None:
    """Serve the champion until Ctrl-C; a promotion changes the version without a restart.

    Without tokens anybody who reaches the server may ask it: beyond this machine it starts only with them, or with
    --insecure. Once one kind of token is asked for, what the other kinds open is closed to everybody without them;
    /livez, /healthz, /readyz and /v2/health stay open.
    """
    from tuneloop.pipeline.promoting.promotion import channel_path, channel_url
    from tuneloop.serving.server import default_store_url, server_home, start_server, store_variables

    chosen, _ = load(project)
    address, listen = host or chosen.serve.host, port or chosen.serve.port
    guards = _guards(
        address,
        {"predict": predict_tokens, "feedback": feedback_tokens, "admin": admin_tokens},
        verify=verify,
        insecure=insecure,
    )
    bento = _champion_bento(chosen, verify)
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
        channel=channel_url(chosen) or str(channel_path(chosen)),
        store_url=default_store_url(chosen.state),
        guards={
            "TUNELOOP_DEVICE": os.environ.get("TUNELOOP_DEVICE") or chosen.serve.device,
            **store_variables(chosen.store, chosen.state),
            **guards,
        },
    ) as server:
        try:
            server.wait_ready()
            click.echo(f"{chosen.name} answers at {server.url}  (log: {log}; stop with Ctrl-C)")
            status = server.wait()
        except KeyboardInterrupt:
            click.echo("stopping; requests under way are finished")
            return
    raise click.ClickException(f"the server ended by itself with status {status}; its log: {log}")


def _guards(host: str, tokens: dict[str, Path | None], *, verify: Path | None, insecure: bool) -> dict[str, str]:
    """The server's environment; what is wrong with a file is said here, not at the end of a traceback in its log."""
    from tuneloop.serving.trust.exposure import INSECURE, check_exposure
    from tuneloop.serving.trust.signature import VERIFY_VARIABLE, Verifier
    from tuneloop.serving.trust.tokens import ROLES, VARIABLES, read_tokens

    found = {VARIABLES[role]: path for role in ROLES if (path := tokens[role]) is not None}
    for path in found.values():
        read_tokens(path)
    check_exposure(host, authenticated=bool(found), insecure=insecure)
    if verify is not None:
        Verifier(verify)
        found[VERIFY_VARIABLE] = verify
    return {**{name: str(path) for name, path in found.items()}, INSECURE: "1" if insecure else ""}


def _champion_bento(project: Project, verify: Path | None) -> Path:
    """The champion's Bento, built where it is not there, and the channel written from the registry."""
    from tuneloop.pipeline.delivering.package import bento_home
    from tuneloop.pipeline.promoting.promotion import channel_url, publish, shared_artifact
    from tuneloop.registry import CHAMPION, Registry
    from tuneloop.serving.loader import serving_plugins
    from tuneloop.serving.packaging.bento import bento_folder, build_bento
    from tuneloop.serving.trust.signature import SIGNATURE, Signer, Verifier
    from tuneloop.serving.versions.channel import read_channel

    registry, shared = Registry(project), channel_url(project)
    followed = None
    if shared and registry.find(CHAMPION) is None:
        # Another machine registers the versions, and this one only serves what the channel they share names.
        followed = read_channel(shared).champion
        version, artifact = followed.version, shared_artifact(project, registry, shared, followed)
    else:
        version, artifact = registry.resolve(CHAMPION).number, registry.fetch(CHAMPION)
    # The server would refuse other plugins too, at the end of a traceback in its log.
    serving_plugins(artifact.manifest.plugins)
    home, signer = bento_home(project.state), Signer.from_environment()
    folder = bento_folder(home, f"{project.name}:{version}")
    wanting = signer is not None and not (folder / SIGNATURE).is_file()
    if wanting or not (folder / "bento.yaml").is_file():
        gpu = project.serve.device == "gpu"
        build_bento(artifact, version, home=home, device="gpu" if gpu else "cpu", signer=signer, policy=project.store)
    if verify is not None:
        Verifier(verify).check_bento(folder, model=project.name, version=version)
    if followed is None:
        # The signature of the Bento goes into the channel, so it comes after.
        publish(project, registry)
    return folder


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt

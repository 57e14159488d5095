"""A server that asks for no tokens listens on this machine alone, unless somebody says that he means it."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping

from tuneloop.api import ServingError
from tuneloop.serving.trust.tokens import VARIABLES

INSECURE = "TUNELOOP_INSECURE"
"""Environment variable; `1` lets a server without tokens listen on any address."""


def is_loopback(host: str) -> bool:
    """Whether an address or name is that of this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposure(host: str, *, authenticated: bool, insecure: bool) -> None:
    """Refuse to listen.

    Args:
        host: The address to listen on.
        authenticated: Whether any token is asked for.
        insecure: Whether it was said that this may be open.

    Raises:
        ServingError: Anybody who reaches the address could use the model.
    """
    if authenticated or insecure or is_loopback(host):
        return
    raise ServingError(
        f"the server would listen on {host} and answer anybody. Name token files in {', '.join(VARIABLES.values())}, "
        f"or listen on 127.0.0.1. If something before it keeps strangers out: --insecure, or {INSECURE}=1"
    )


def said_insecure(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment lets the server be open."""
    return environment.get(INSECURE, "").lower() in ("1", "true", "yes")


def default_host(environment: Mapping[str, str] = os.environ) -> str:
    """Where `bentoml serve` listens when nothing is said: all of a container, else this machine alone."""
    return "0.0.0.0" if environment.get("BENTOML_CONTAINERIZED") == "true" else "127.0.0.1"  # noqa: S104


def listening_host(environment: Mapping[str, str] = os.environ) -> str | None:
    """The address that this process, a `bentoml serve` or one of its workers, listens on; None in any other.

    BentoML tells a service nothing of this. Both processes are click commands: the first has the option `host`, a
    worker the number `fd` of the socket that it was given.
    """
    import click

    context = click.get_current_context(silent=True)
    if context is None:
        return None
    number = context.params.get("fd")
    if isinstance(number, int):
        with socket.socket(fileno=os.dup(number)) as listener:
            return str(listener.getsockname()[0])
    if "host" in context.params:
        return str(context.params["host"] or default_host(environment))
    return None

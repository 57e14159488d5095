"""Which servers an address means: itself, or by `dns+http://NAME:PORT` every one that the name resolves to.

The prefix is that of Thanos. A headless service of Kubernetes resolves to all of its pods; behind any other name a
balancer would show another replica at each look.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from tuneloop.api import ServingError

PREFIX = "dns+"


def resolve(url: str) -> tuple[str, ...]:
    """The addresses of all servers, sorted; a name is looked up anew each time.

    Args:
        url: `http://HOST:PORT`, or with `dns+` before it.

    Raises:
        ServingError: The name resolves to nothing.
    """
    if not url.startswith(PREFIX):
        return (url.rstrip("/"),)
    parts = urlsplit(url.removeprefix(PREFIX))
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise ServingError(f"{url}: the name {host!r} resolves to no server: {error}") from error
    return tuple(sorted(f"{parts.scheme}://{f'[{one}]' if ':' in one else one}:{port}" for one in found))

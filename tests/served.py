"""A real server of the Bento that a run made, on a free port of loopback, as `tuneloop serve` starts it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tuneloop.config import Project
from tuneloop.monitoring.stack import free_port
from tuneloop.pipeline import RunResult, channel_path
from tuneloop.pipeline.delivering.package import bento_home
from tuneloop.serving.packaging.bento import bento_folder
from tuneloop.serving.server import ServerProcess, default_store_url, server_home, start_server


@contextmanager
def serving(project: Project, result: RunResult) -> Iterator[ServerProcess]:
    """The server, once it is ready; it follows the project's channel, and stores what it answers."""
    port = free_port()
    with start_server(
        str(bento_folder(bento_home(project.state), str(result.bento))),
        home=server_home(project.state, port),
        log=project.state / "serve.log",
        port=port,
        channel=str(channel_path(project)),
        store_url=default_store_url(project.state),
    ) as running:
        running.wait_ready(300)
        yield running


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """The JSON that a door answers to JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=240) as response:
        answer: dict[str, Any] = json.load(response)
    return answer

"""A project from its file to a version that answers; a real server of its Bento, on a free port of loopback."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tuneloop.config import Project, load_project
from tuneloop.monitoring.stack import free_port
from tuneloop.pipeline import RunResult, channel_path, run_pipeline
from tuneloop.pipeline.delivering.package import bento_home
from tuneloop.plugins import default_manager
from tuneloop.registry import CHAMPION, Registry
from tuneloop.serving.loader import Loaded, load_version
from tuneloop.serving.packaging.bento import bento_folder
from tuneloop.serving.server import ServerProcess, default_store_url, server_home, start_server


def champion(folder: Path) -> tuple[Project, RunResult, Loaded]:
    """The project of a folder, the run of it, which passes, and the version that it made."""
    plugins = default_manager()
    project = load_project(folder, plugins)
    result = run_pipeline(project, plugins, who="ada")
    assert result.state == "passed", result
    assert result.report is not None
    assert result.report.read_text().startswith("<!doctype html>")
    return project, result, load_version(Registry(project).fetch(CHAMPION).folder, "1")


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


@contextmanager
def served(project: Project, result: RunResult) -> Iterator[httpx.Client]:
    """A client of such a server."""
    with serving(project, result) as running, httpx.Client(base_url=running.url, timeout=240) as client:
        yield client


def assessment(project: Project) -> dict[str, Any]:
    """What the project's only run found about the model that it serves."""
    (found,) = (project.state / "steps").glob("profile-*/assessment.json")
    return dict(json.loads(found.read_bytes()))


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """The JSON that a door answers to JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=240) as response:
        answer: dict[str, Any] = json.load(response)
    return answer

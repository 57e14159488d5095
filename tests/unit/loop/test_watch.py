"""What `tuneloop loop --watch` starts, and where the loop listens."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tuneloop.config import Links, Project
from tuneloop.loop.server import LoopSettings
from tuneloop.loop.token import read_token
from tuneloop.loop.watch import watch_values, watching
from tuneloop.monitoring.stack import find_stack
from tuneloop.monitoring.webhook import get


def test_alerts_link_where_the_project_says(make_world_project: Callable[..., Project], tmp_path: Path) -> None:
    project = make_world_project(tmp_path)
    assert (watch_values(project).grafana, watch_values(project).runbook) == ("", "")
    linked = replace(project, monitor=replace(project.monitor, links=Links("http://g", "http://m", "http://r")))
    assert (watch_values(linked).grafana, watch_values(linked).runbook) == ("http://g", "http://r")


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")]
)
def test_the_loop_is_reached_by_an_address_of_this_machine(host: str, shown: str) -> None:
    with socket.create_server((host, 0)) as listener:
        url = LoopSettings(port=0, host=host).url(listener)
        assert url == f"http://{shown}:{listener.getsockname()[1]}"
        with socket.create_connection((shown, listener.getsockname()[1]), timeout=5):
            pass


@pytest.mark.skipif(find_stack() is None, reason="prometheus and alertmanager are not on the PATH")
def test_prometheus_looks_at_the_server_and_at_the_loop(
    make_world_project: Callable[..., Project], tmp_path: Path
) -> None:
    token = tmp_path / "loop.token"
    read_token(token)
    with watching(make_world_project(tmp_path), ["http://127.0.0.1:9/metrics"], "http://127.0.0.1:8", token) as watch:
        deadline = time.monotonic() + 300
        while not (targets := json.loads(get(f"{watch.pages['Prometheus']}/api/v1/targets"))["data"]["activeTargets"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert {one["scrapeUrl"] for one in targets} == {"http://127.0.0.1:9/metrics", "http://127.0.0.1:8/metrics"}

"""A table with gaps and categories, from the file to a served and watched Bento: regression, end to end."""

from __future__ import annotations

import csv
import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tuneloop.config import Project, load_project
from tuneloop.pipeline import RunResult, channel_path, run_pipeline
from tuneloop.pipeline.package import bento_home
from tuneloop.plugins import default_manager
from tuneloop.serving.bento import bento_folder
from tuneloop.serving.server import ServerProcess, default_store_url, server_home, start_server

YAML = """\
name: rents
task: tabular-regression
data: {source: csv, path: flats.csv, columns: {target: rent}, split: {validation: 0.15, test: 0.15, golden: 0.15}}
model: {base: tabular-mlp, hidden: [32]}
tune: {strategy: full, epochs: 30, learning_rate: 1.0e-2}
gate: {require: {rmse: 80}}
export: {format: onnx}
monitor: {window: 1m}
"""


def rent(size: float | None, district: str | None) -> float:
    return 10 * (50 if size is None else size) + {"north": 0, "south": 200, None: 100}[district]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder, generator = tmp_path_factory.mktemp("rents"), random.Random(7)
    with (folder / "flats.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["size", "district", "floor", "rent"])
        for _ in range(900):
            size = None if generator.random() < 0.05 else round(generator.uniform(20, 120), 1)
            district = generator.choice(["north", "south", None])
            noisy = rent(size, district) + generator.gauss(0, 15)
            writer.writerow([size, district, generator.randint(0, 9), round(noisy, 2)])
    (folder / "tuneloop.yaml").write_text(YAML)
    return load_project(folder, default_manager())


@pytest.fixture(scope="module")
def result(project: Project) -> RunResult:
    return run_pipeline(project, default_manager())


@pytest.fixture(scope="module")
def server(project: Project, result: RunResult) -> Iterator[ServerProcess]:
    from tuneloop.monitoring.stack import free_port

    port = free_port()
    with start_server(
        str(bento_folder(bento_home(project.state), str(result.bento))),
        home=server_home(project.state, port),
        log=project.state / "serve.log",
        port=port,
        channel=str(channel_path(project)),
        store_url=default_store_url(project.state),
    ) as running:
        running.wait_ready()
        yield running


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def test_the_gate_holds_what_the_project_asks(result: RunResult) -> None:
    assert result.state == "passed"
    assert result.metrics["golden"]["rmse"] < 80
    assert result.metrics["golden"]["r2"] > 0.9


def test_missing_and_unseen_values_are_answered_and_watched(server: ServerProcess) -> None:
    rows = [
        {"size": 100.0, "district": "south", "floor": 3},
        {"size": None, "district": "north", "floor": 3},
        {"size": 40, "district": "the moon", "floor": 3},
    ]
    answer = post(f"{server.url}/predict", {"rows": rows})
    values = [prediction["value"] for prediction in answer["predictions"]]
    assert values[0] == pytest.approx(rent(100, "south"), abs=120)
    assert values[1] == pytest.approx(rent(None, "north"), abs=200)
    labels = [{"id": prediction["id"], "label": 1000} for prediction in answer["predictions"]]
    assert post(f"{server.url}/feedback", {"items": labels})
    wanted = (
        'signal="column:size",version="1"',
        'bin="missing",model="rents",signal="column:size"',
        'bin="unseen",model="rents",signal="column:district"',
    )
    assert _counted(server, wanted)


def test_a_row_without_a_column_is_refused_with_its_place(server: ServerProcess) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(f"{server.url}/predict", {"rows": [{"size": 1.0, "district": "north"}]})
    problem = json.load(caught.value)
    assert (caught.value.code, problem["field"], problem["row"]) == (422, "floor", 0)


def _counted(server: ServerProcess, wanted: tuple[str, ...]) -> bool:
    """Wait until each of these series has counted something; counters are flushed every second."""
    import time

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as response:
            page = response.read().decode()
        lines = [line for line in page.splitlines() if line.startswith("tuneloop_signal_observations_total")]
        if all(any(part in line and not line.endswith(" 0.0") for line in lines) for part in wanted):
            return True
    return False

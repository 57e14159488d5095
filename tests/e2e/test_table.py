"""A table with gaps and categories, from the file to a served and watched Bento: regression, end to end."""

from __future__ import annotations

import csv
import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.served import assessment, post, serving

from tuneloop.api import RegistryError
from tuneloop.cli.predict import predict
from tuneloop.cli.predict_model import open_model
from tuneloop.config import Project, load_project
from tuneloop.pipeline import RunResult, run_pipeline
from tuneloop.plugins import default_manager
from tuneloop.serving.server import ServerProcess

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
    with serving(project, result) as running:
        yield running


def test_the_gate_holds_what_the_project_asks(project: Project, result: RunResult) -> None:
    assert result.state == "passed"
    assert result.metrics["golden"]["rmse"] < 80
    assert result.metrics["golden"]["r2"] > 0.9
    gain = assessment(project)["gains"]["probe"]
    assert gain["low"] <= gain["gain"] == pytest.approx(gain["champion"] - gain["challenger"])


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


@pytest.mark.parametrize("name", ["rents", "rents:1", "rents@champion"])
def test_its_own_file_is_scored_in_bulk_as_the_server_answers(
    project: Project, server: ServerProcess, tmp_path: Path, name: str
) -> None:
    output, together = tmp_path / "rents.csv", 300
    command = [name, "--input", str(project.root / "flats.csv"), "--output", str(output)]
    done = CliRunner().invoke(predict, [*command, "--project", str(project.root), "--window", str(together)])
    assert done.exit_code == 0, done.output
    with (project.root / "flats.csv").open() as stream:
        rows = [
            {"size": float(row["size"]) if row["size"] else None, "district": row["district"] or None, "floor": n}
            for row in csv.DictReader(stream)
            for n in [int(row["floor"])]
        ]
    served = [
        str(prediction["value"])
        for start in range(0, len(rows), together)
        for prediction in post(f"{server.url}/predict", {"rows": rows[start : start + together]})["predictions"]
    ]
    with output.open() as stream:
        assert [(row["row"], row["value"]) for row in csv.DictReader(stream)] == [
            (str(number), value) for number, value in enumerate(served, start=1)
        ]


def test_a_version_that_is_not_there_is_named(project: Project, result: RunResult) -> None:
    with pytest.raises(RegistryError, match="no version '7'; known: 1, champion"):
        open_model("rents:7", project.root, "cpu")


def _counted(server: ServerProcess, wanted: tuple[str, ...]) -> bool:
    """Wait until each of these series has counted something; counters are flushed every second."""
    import time

    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=120) as response:
            page = response.read().decode()
        lines = [line for line in page.splitlines() if line.startswith("tuneloop_signal_observations_total")]
        if all(any(part in line and not line.endswith(" 0.0") for line in lines) for part in wanted):
            return True
    return False

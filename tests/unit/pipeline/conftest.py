"""Small projects with made-up data that hold a real signal."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from tuneloop.config import load_project
from tuneloop.pipeline.runs.records import RunRequest, create
from tuneloop.pipeline.runs.step import Scope
from tuneloop.plugins import default_manager

TABLE = """\
name: income
task: tabular-classification
data: {{source: csv, path: people.csv, columns: {{label: income}},
  split: {{validation: 0.2, test: 0.2, golden: 0.2, key: id}}}}
model: {{base: tabular-mlp, hidden: [16]}}
tune: {{strategy: full, epochs: {epochs}, learning_rate: 1.0e-2, checkpoint_steps: 5}}
evaluate: {{metrics: [macro_f1, accuracy]}}
gate: {{require: {{macro_f1: {wanted}}}, champion: {{metric: macro_f1, margin: 0.05}}}}
export: {{format: onnx, quantize: {{mode: int8-dynamic, max_loss: 0.02}}}}
monitor: {{slices: [job, confidence]}}
"""


def person(generator: random.Random, number: int) -> dict[str, object]:
    age, hours = generator.randint(18, 80), round(generator.uniform(1, 60), 2)
    job = generator.choice(["clerk", "cook", "pilot"])
    score = age * 0.03 + hours * 0.05 + {"clerk": 0, "cook": -1, "pilot": 2}[job] + generator.gauss(0, 0.3)
    shown = "" if generator.random() < 0.03 else age
    return {"id": number, "age": shown, "hours": hours, "job": job, "income": "high" if score > 3.3 else "low"}


def write_table_project(folder: Path, *, rows: int = 600, epochs: int = 4, wanted: float = 0.7) -> Path:
    """A project folder whose run takes seconds."""
    generator = random.Random(1)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "people.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "age", "hours", "job", "income"])
        writer.writeheader()
        writer.writerows(person(generator, number) for number in range(rows))
    (folder / "tuneloop.yaml").write_text(TABLE.format(epochs=epochs, wanted=wanted))
    return folder


@pytest.fixture(scope="session")
def write_project():
    """The function that writes a project folder."""
    return write_table_project


@pytest.fixture
def table_project(tmp_path):
    return write_table_project(tmp_path / "income")


@pytest.fixture(scope="session")
def scope_of():
    """A function from a project folder to what a run of it shares."""

    def make(folder: Path, run: str = "20260101-000000-test", feedback: bytes | None = None) -> Scope:
        plugins = default_manager()
        project = load_project(folder, plugins)
        request = RunRequest(run=run, project=project.name, started="2026-01-01T00:00:00Z", who="ada")
        content = (folder / "tuneloop.yaml").read_bytes()
        return Scope(project, plugins, create(project.state, request, content, feedback))

    return make

"""`tuneloop accuracy` on a store and an artifact, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.monitoring.store import Prediction, PredictionStore

Run = Callable[..., subprocess.CompletedProcess[str]]
MODEL = "tiny-income"


def serving_helpers() -> Any:
    file = Path(__file__).parents[1] / "serving" / "conftest.py"
    spec = importlib.util.spec_from_file_location("accuracy_serving_conftest", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder: Path = serving_helpers().make_artifact(tmp_path / "artifact", 1).folder
    return folder


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Twenty answers of each of two versions, half of them with a label; version 1 is right about 8 of 10."""
    url = f"sqlite:///{tmp_path}/predictions.db"
    store = PredictionStore(url, clock=lambda: 5000.0)
    made = []
    for version in "12":
        for number in range(20):
            answer = {"label": "low", "confidence": 0.75, "scores": {"low": 0.75, "high": 0.25}}
            row = {"age": 30.0, "hours per week": 40.0, "job": "pilot" if number % 2 else "clerk"}
            made.append(Prediction(f"{version}-{number}", MODEL, version, 1000.0 + number, row, answer))
    store.add_predictions(made)
    wrong = {"1": 2, "2": 5}
    store.add_labels([(f"{v}-{n}", "high" if n < wrong[v] else "low") for v in "12" for n in range(10)])
    store.close()
    return url


def test_tables_for_people(tuneloop: Run, artifact: Path, url: str) -> None:
    done = tuneloop("accuracy", "--artifact", str(artifact), "--store-url", url, "--estimate", "--against", "1")
    assert done.returncode == 0, done.stderr
    head, first, second = done.stdout.splitlines()[1:4]
    assert head.split()[:4] == ["version", "rows", "labelled", "coverage"]
    assert first.split()[:4] == ["1", "20", "10", "50.0%"]
    assert "0.8000 (0.4902-0.9433)" in first
    assert "0.7500" in first
    assert "few labels: 10 of the 200" in second
    assert "version 2 against 1" in done.stdout
    assert "no difference shown" in done.stdout


def test_json_for_programs(tuneloop: Run, artifact: Path, url: str) -> None:
    done = tuneloop(
        *("accuracy", "--artifact", str(artifact), "--store-url", url, "--json", "--estimate"),
        *("--slice", "job", "--slice", "answer", "--by", "day", "--version", "1"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    whole, day, *slices = found["figures"]
    assert (whole["rows"], whole["labelled"], whole["delay_seconds"]["p50"]) == (20, 10, 5000.0 - 1004.5)
    assert whole["scores"]["accuracy"]["value"] == 0.8
    assert whole["estimate"]["accuracy"] == 0.75
    assert day["window"] == "1970-01-01T00:00:00+00:00"
    assert {(one["slice"]["name"], one["slice"]["value"], one["rows"]) for one in slices} == {
        ("column:job", "pilot", 10),
        ("column:job", "clerk", 10),
        ("answer", "low", 20),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--slice", "wage"],
            "--slice 'wage': no such column or signal can be read from the store; known: answer, age",
        ),
        (["--version", "7"], "the store holds no answer of version 7; it holds: "),
        (["--last", "soon"], "--last 'soon' is no length of time"),
        (["--by", "window"], "--by window needs a project"),
    ],
)
def test_mistakes_are_named(tuneloop: Run, artifact: Path, url: str, arguments: list[str], said: str) -> None:
    done = tuneloop("accuracy", "--artifact", str(artifact), "--store-url", url, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_an_artifact_alone_needs_a_store(tuneloop: Run, artifact: Path) -> None:
    done = tuneloop("accuracy", "--artifact", str(artifact))
    assert done.returncode == 2
    assert "--store-url" in done.stderr


def test_outside_a_project_it_says_what_is_missing(tuneloop: Run) -> None:
    done = tuneloop("accuracy")
    assert done.returncode == 2
    assert "there is no tuneloop.yaml" in done.stderr

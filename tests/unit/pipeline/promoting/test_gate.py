"""The gate in real runs of a small table project: attempts, slices, and what the report shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneloop.api import DataError
from tuneloop.config import load_project
from tuneloop.pipeline import run_pipeline
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.promoting.gate import _threshold
from tuneloop.plugins import default_manager
from tuneloop.registry import CHAMPION, Registry

pytest.importorskip("dbos")
pytest.importorskip("torch")

CHAMPION_BLOCK = "champion: {metric: macro_f1, margin: 0.05"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_project):
    """A project with a champion."""
    folder = write_project(tmp_path_factory.mktemp("gate") / "income", epochs=16)
    assert run(folder).promoted
    return folder


def run(folder: Path, seed: int = 0, champion: str = "", feedback: Path | None = None, run_id: str | None = None):
    """A run of the project with another seed, and more said of the champion."""
    file = folder / "tuneloop.yaml"
    kept = file.read_text()
    try:
        changed = kept.replace(CHAMPION_BLOCK, CHAMPION_BLOCK + champion)
        file.write_text(changed.replace("strategy: full", f"strategy: full, seed: {seed}"))
        plugins = default_manager()
        return run_pipeline(load_project(folder, plugins), plugins, who="ada", feedback=feedback, run_id=run_id)
    finally:
        file.write_text(kept)


def test_a_required_metric_without_a_value_refuses(folder):
    plugins = default_manager()
    scorer = Scorer(load_project(folder, plugins), plugins)
    found = _threshold(scorer, "macro_f1", 0.7, None)
    assert (found.passed, found.text) == (
        False,
        "macro_f1 has no value on the golden holdout; it must be at least 0.7",
    )


def test_attempts_are_counted_over_runs_and_looking_twice_is_none(folder):
    registry = Registry(load_project(folder, default_manager()))
    champion = registry.resolve(CHAMPION).sha256
    assert registry.attempt(champion, "another") == 1
    first = run(folder, 1, ", superiority: golden")
    assert first.state == "refused"
    assert "attempt 1 against this champion" in "; ".join(first.reasons)
    second = run(folder, 2, ", superiority: golden, slices: [job, income, age], min_slice_rows: 20")
    assert "at level 0.0083 (attempt 2 against this champion)" in "; ".join(second.reasons)
    again = run(folder, 1, ", superiority: golden, alpha: 0.04")
    assert "at level 0.02 (attempt 1 against this champion)" in "; ".join(again.reasons)
    assert registry.attempt(champion, "another") == 3
    page = second.report.read_text()
    assert "Attempt 2 against this champion" in page
    for name in ("job=pilot", "income=low", "age 18 to"):
        assert name in page
    # A champion of its own, a count of its own.
    assert registry.attempt("f" * 64, "another") == 1


def test_by_default_an_equal_challenger_passes_and_says_what_is_not_proven(folder):
    result = run(folder, 6, ", alpha: 0.001")
    assert result.state == "passed"
    page = result.report.read_text()
    assert "By estimate: that it loses no more is not proven" in page
    assert "none may be proven to lose more than 0.05" in page


def test_not_worse_asks_for_more_rows_than_there_are(folder):
    result = run(folder, 6, ", prove: not-worse, alpha: 0.001")
    assert result.state == "refused"
    assert "rows would do" in result.reasons[0]


def test_proof_on_new_rows_needs_new_rows(folder):
    result = run(folder, 3, ", superiority: recent")
    assert result.state == "refused"
    assert "this run has none; retrain with feedback" in result.reasons[0]


def test_labels_that_both_models_contradict_are_refused(folder, tmp_path):
    """A fifth of the labels is flipped: the challenger learns the world nevertheless, and both answer as one."""
    people = [line.split(",") for line in (folder / "people.csv").read_text().splitlines()[1:]]
    flip = {"high": "low", "low": "high"}
    lines = []
    for number, (_, age, hours, job, income) in enumerate(people * 2):
        row = {"age": float(age) + 0.5 if age else None, "hours": float(hours) + 0.001 * number, "job": job}
        label = flip[income] if number % 5 == 0 else income
        lines.append(json.dumps({"key": str(number), "row": row, "label": label}))
    feedback = tmp_path / "feedback.jsonl"
    feedback.write_text("\n".join(lines) + "\n")
    result = run(folder, 5, feedback=feedback)
    assert result.state == "refused"
    assert "contradict" in "; ".join(result.reasons)
    assert "retrain.max_label_noise" in "; ".join(result.reasons)


def test_a_slice_column_that_is_not_there_is_told_before_any_training(folder):
    with pytest.raises(DataError, match=r"'jobs' \(gate.champion.slices\)"):
        run(folder, 6, ", slices: [jobs]")

"""`tuneloop-sklearn`: from a table to a served answer, with nothing of torch in the model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CLASSIFY = """\
name: tumours
task: tabular-classification
data: {source: csv, path: rows.csv, columns: {label: diagnosis}, split: {validation: 0.2, test: 0.2, golden: 0.1}}
model:
  base: sklearn
  estimator: sklearn.ensemble.RandomForestClassifier
  params: {n_estimators: 40, min_samples_leaf: 2}
tune: {strategy: sklearn-fit, seed: 3}
evaluate: {metrics: [macro_f1, accuracy]}
gate: {require: {accuracy: 0.9}}
export: {format: sklearn-onnx}
"""
REGRESS = """\
name: progression
task: tabular-regression
data: {source: csv, path: rows.csv, columns: {target: progression}, split: {validation: 0.2, test: 0.2, golden: 0.1}}
model:
  base: sklearn
  estimator: sklearn.pipeline.Pipeline
  params:
    steps:
      - [expand, {estimator: sklearn.preprocessing.PolynomialFeatures, params: {degree: 2, interaction_only: true}}]
      - [fit, {estimator: sklearn.linear_model.Ridge, params: {alpha: 30.0}}]
tune: {strategy: sklearn-fit}
evaluate: {metrics: [rmse, r2]}
gate: {require: {rmse: 70.0}}
export: {format: sklearn-onnx}
"""


def write_project(folder: Path, text: str) -> list[dict[str, Any]]:
    """A project with one of the data sets that scikit-learn brings in its own files; gives its rows."""
    from sklearn.datasets import load_breast_cancer, load_diabetes

    data = load_breast_cancer() if "tumours" in text else load_diabetes()
    target = "diagnosis" if "tumours" in text else "progression"
    answers = [str(data.target_names[t]) for t in data.target] if "tumours" in text else data.target.tolist()
    names = [name.replace(" ", "_") for name in data.feature_names]
    rows = [
        {**dict(zip(names, values, strict=True)), target: answer}
        for values, answer in zip(data.data.tolist(), answers, strict=True)
    ]
    if "progression" in text:
        # `sex` is one of two numbers: as a text it is the category that it is.
        rows = [{**row, "sex": "a" if row["sex"] > 0 else "b"} for row in rows]
    folder.mkdir()
    with (folder / "rows.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "tuneloop.yaml").write_text(text)
    return [{key: value for key, value in row.items() if key != target} for row in rows]


def artifact_of(folder: Path) -> Path:
    (found,) = folder.glob(".tuneloop/steps/profile-*/artifact")
    return found


def test_a_forest_is_tuned_gated_and_served(sklearn_stranger: Any, tmp_path: Path, free_port: int) -> None:
    folder = tmp_path / "tumours"
    rows = write_project(folder, CLASSIFY)
    done = sklearn_stranger.tuneloop("run", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    artifact = artifact_of(folder)
    manifest = json.loads((artifact / "manifest.json").read_text())
    assert (manifest["base_model"], manifest["strategy"]) == ("sklearn", "sklearn-fit")
    assert manifest["metrics"]["accuracy"] > 0.9
    assert manifest["parity"]["changed_answers"] == 0
    uses = {use["distribution"]: use for use in manifest["plugins"]}
    assert uses["tuneloop-sklearn"] == {
        "distribution": "tuneloop-sklearn",
        "version": "0.1.0",
        "names": ["sklearn"],
        "serving": False,
    }
    with sklearn_stranger.served(folder, free_port) as server:
        answers = server.predict(rows[:20])
    assert {answer["label"] for answer in answers} <= {"malignant", "benign"}
    assert all(abs(sum(answer["scores"].values()) - 1) < 1e-5 for answer in answers)
    # The server has no need of the plugin or of scikit-learn.
    (requirements,) = folder.glob(".tuneloop/bentoml/bentos/tumours/*/env/python/requirements.txt")
    assert "sklearn" not in requirements.read_text()
    assert "scikit" not in requirements.read_text()


def test_a_pipeline_with_a_category_is_served_and_equal_runs_give_equal_artifacts(
    sklearn_stranger: Any, tmp_path: Path, free_port: int
) -> None:
    hashes, rows = [], []
    for name in ("first", "second"):
        folder = tmp_path / name
        rows = write_project(folder, REGRESS)
        done = sklearn_stranger.tuneloop("run", cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        manifest = json.loads((artifact_of(folder) / "manifest.json").read_text())
        assert {tensor["name"] for tensor in manifest["signature"]["inputs"]} == {"numeric", "categorical"}
        assert manifest["metrics"]["rmse"] < 70
        hashes.append(manifest["files"])
    assert hashes[0] == hashes[1]
    assert any(name.startswith("training/") for name in hashes[0])
    with sklearn_stranger.served(folder, free_port) as server:
        answers = server.predict(rows[:20])
    # The target is a score of 25 to 346.
    assert all(0 < answer["value"] < 400 for answer in answers)
    assert len({answer["value"] for answer in answers}) == 20


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        (
            "os.system",
            "sklearn.ensemble.RandomForestClassifier",
            "value 'os.system': expected the import path of a public estimator of scikit-learn",
        ),
        (
            "sklearn.ensemble.RandomForestClasifier",
            "sklearn.ensemble.RandomForestClassifier",
            "Did you mean 'RandomForestClassifier'?",
        ),
        ("n_estimator: 40", "n_estimators: 40", "which has no 'n_estimator'. Did you mean 'n_estimators'?"),
        ("n_estimators: many", "n_estimators: 40", "must be an int"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(
    sklearn_stranger: Any, tmp_path: Path, wrong: str, right: str, said: str
) -> None:
    folder = tmp_path / "tumours"
    write_project(folder, CLASSIFY.replace(right, wrong))
    done = sklearn_stranger.tuneloop("run", cwd=folder)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "tuneloop.yaml:" in done.stderr
    assert not (folder / ".tuneloop" / "runs").exists()


def test_its_own_tests_pass_in_its_environment(sklearn_stranger: Any, own_tests: Callable[..., None]) -> None:
    own_tests(sklearn_stranger, "tuneloop-sklearn")

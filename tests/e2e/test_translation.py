"""Pairs of sentences from a file to a served Bento that translates, without torch: a vocabulary of its own data."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.served import assessment, post, serving

from tuneloop.artifact import ENCODER, Artifact
from tuneloop.cli.predict import predict
from tuneloop.config import Project, load_project
from tuneloop.monitoring.reference import REFERENCE_FILE, Reference
from tuneloop.pipeline import RunResult, run_pipeline
from tuneloop.plugins import default_manager
from tuneloop.serving.server import ServerProcess

TANAKA = Path(__file__).parents[2].parent / "shared" / "data" / "tanaka_enja"
PAIRS = 600
YAML = """\
name: desk
task: translation
data: {source: jsonl, path: pairs.jsonl, columns: {text: en, label: ja}, split: {validation: 0.1, test: 0.1,
  golden: 0.1}}
model: {base: seq2seq-small, vocabulary: 500, width: 32, layers: 1, heads: 2, dropout: 0.0, max_tokens: 16}
tune: {strategy: full, epochs: 4, learning_rate: 1.0e-2, batch_size: 16}
gate: {require: {chrf: 0.5}}
export: {format: onnx}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TANAKA.is_dir(), reason="the folder with the Tanaka pairs is not there"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("desk")
    lines = (TANAKA / "train.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [dict(zip(("en", "ja"), line.split("\t"), strict=True)) for line in lines[:PAIRS]]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    (folder / "tuneloop.yaml").write_text(YAML)
    return load_project(folder, default_manager())


@pytest.fixture(scope="module")
def result(project: Project) -> RunResult:
    return run_pipeline(project, default_manager(), who="ada")


@pytest.fixture(scope="module")
def server(project: Project, result: RunResult) -> Iterator[ServerProcess]:
    with serving(project, result) as running:
        yield running


def test_the_artifact_holds_both_graphs_and_what_is_watched(project: Project, result: RunResult) -> None:
    assert result.state == "passed", result
    assert assessment(project)["gains"]["probe"]["gain"] > 0
    artifact = Artifact.open(Path(str(result.artifact)))
    assert {ENCODER, "model.onnx"} <= set(artifact.manifest.files)
    assert artifact.manifest.metrics["chrf"] > 0.5
    both = sum(artifact.manifest.files[name].bytes for name in (ENCODER, "model.onnx"))
    assert artifact.manifest.variants["float32"].bytes == both
    labels = {bins.label for bins in Reference.load(artifact.folder / REFERENCE_FILE).signals}
    assert {"answer_tokens", "confidence", "finish_reason", "length", "token_entropy", "unknown_rate"} <= labels
    assert result.report is not None
    assert result.report.read_text().startswith("<!doctype html>")


def test_every_door_gives_the_same_translation(project: Project, server: ServerProcess, tmp_path: Path) -> None:
    asked = ["he likes tennis .", "i can 't swim ."]
    answer = post(f"{server.url}/predict", {"rows": [{"en": text} for text in asked]})
    said = [prediction["translation"] for prediction in answer["predictions"]]
    assert all({"finish_reason", "confidence", "id"} <= set(prediction) for prediction in answer["predictions"])
    for text, right in zip(asked, said, strict=True):
        found = post(f"{server.url}/v2/models/desk/generate", {"text_input": text})
        assert found["text_output"] == right
        assert "translation" not in found
        found = post(f"{server.url}/v1/completions", {"model": "desk", "prompt": text, "temperature": 0})
        assert found["choices"][0]["text"] == right
    wide = {"rows": [{"en": asked[0]}], "options": {"beams": 3, "max_tokens": 5}}
    (one,) = post(f"{server.url}/predict", wide)["predictions"]
    assert one["completion_tokens"] <= 5
    rows, output = tmp_path / "rows.jsonl", tmp_path / "said.jsonl"
    rows.write_text("\n".join(json.dumps({"en": text}) for text in asked))
    command = ["desk", "--input", str(rows), "--output", str(output), "--project", str(project.root)]
    done = CliRunner().invoke(predict, command)
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["translation"] for line in output.read_text().splitlines()] == said


def test_a_row_with_the_right_answer_is_refused(server: ServerProcess) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(f"{server.url}/predict", {"rows": [{"en": "a", "ja": "b"}]})
    problem = json.load(caught.value)
    assert (caught.value.code, problem["field"], problem["row"]) == (422, "ja", 0)

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuneloop.api import DataError, TuneloopError
from tuneloop.config import load_project
from tuneloop.pipeline import run_pipeline
from tuneloop.pipeline.runs.cache import fingerprint
from tuneloop.pipeline.runs.model_files import model_files
from tuneloop.pipeline.runs.step import StepResult
from tuneloop.pipeline.tuning import baseline, tune
from tuneloop.plugins import default_manager


def fake_scope(root: Path, *files: Path) -> Any:
    base = SimpleNamespace(files=lambda given: files if given == root else ())
    plugins = SimpleNamespace(create=lambda kind, name, options: base)
    return SimpleNamespace(
        project=SimpleNamespace(root=root, model=SimpleNamespace(base="x", options=None)), plugins=plugins
    )


def test_content_counts_and_time_does_not(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"one")
    scope = fake_scope(tmp_path, path)
    before = model_files(scope)
    os.utime(path, ns=(1, 1))
    assert model_files(scope) == before
    path.write_bytes(b"two")
    os.utime(path, ns=(2, 2))
    after = model_files(scope)
    assert [name for name, _ in after] == ["model.safetensors"]
    assert after != before


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.safetensors cannot be read"):
        model_files(fake_scope(tmp_path, tmp_path / "gone.safetensors"))


_TEXTS = """name: jobs
task: text-classification
data: {source: csv, path: people.csv, columns: {text: job, label: income}}
model: MODEL
tune: {strategy: full}
"""


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        ("{base: transformers, checkpoint: ./gone}", "there is no folder .*gone"),
        ("{candidates: [{base: transformers, checkpoint: ./gone}]}", "there is no folder .*gone"),
        ("", "teacher's folder .*nowhere"),
    ],
)
def test_what_is_missing_is_told_before_any_row_is_read(table_project: Path, model: str, missing: str) -> None:
    pytest.importorskip("dbos")
    file, plugins, seen = table_project / "tuneloop.yaml", default_manager(), list[Any]()
    taught = file.read_text().replace("checkpoint_steps: 5", "distill: {artifact: nowhere}")
    file.write_text(_TEXTS.replace("MODEL", model) if model else taught)
    with pytest.raises(TuneloopError, match=missing) as raised:
        run_pipeline(load_project(table_project, plugins), plugins, listen=seen.append)
    assert not seen
    assert "--resume" in "".join(raised.value.__notes__)


@pytest.mark.parametrize("step", [baseline.STEP, tune.STEP])
def test_a_changed_checkpoint_is_another_step(
    step: Any, table_project: Path, scope_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = scope_of(table_project)
    done = {name: StepResult(name, name, table_project, {}, 0.0, False) for name in step.after}
    weights = table_project / "weights.safetensors"
    monkeypatch.setattr(scope.plugins.get("base model", "tabular-mlp"), "files", lambda self, root: [weights])
    keys = []
    for content in (b"one", b"two, longer"):
        weights.write_bytes(content)
        keys.append(fingerprint(step, scope, done))
    assert keys[0] != keys[1]
    assert fingerprint(step, scope, done) == keys[1]

"""A tuned model teaches another: its artifact's answers stand beside the labels of the next project's rows."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.api import ABSENT, ArtifactError, DataError, RunError
from tuneloop.config import load_project
from tuneloop.pipeline import RunResult, run_pipeline
from tuneloop.pipeline.data.rows import open_rows
from tuneloop.pipeline.tuning.teaching import with_column, words_in_order
from tuneloop.plugins import default_manager

YAML = """\
name: flats
task: {task}
data: {{source: csv, path: ../flats.csv, columns: {{target: {target}}}, split: {{validation: 0.2, test: 0.2}}}}
model: {{base: tabular-mlp, hidden: [{hidden}]}}
tune: {{strategy: full, epochs: {epochs}, learning_rate: 1.0e-2{more}}}
export: {{format: onnx}}
"""


def run(folder: Path, **words: Any) -> RunResult:
    folder.mkdir(exist_ok=True)
    text = YAML.format(
        **{"task": "tabular-classification", "target": "kind", "hidden": 16, "epochs": 4, "more": "", **words}
    )
    (folder / "tuneloop.yaml").write_text(text)
    return run_pipeline(load_project(folder, default_manager()), default_manager())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, generator = tmp_path_factory.mktemp("taught"), random.Random(3)
    with (folder / "flats.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["size", "age", "kind", "rent"])
        for _ in range(400):
            size, age = generator.uniform(20, 120), generator.uniform(0, 50)
            kind = "large" if size > 80 else "old" if age > 25 else "small"
            writer.writerow([round(size, 2), round(age, 2), kind, round(10 * size - age, 2)])
    return folder


@pytest.fixture(scope="module")
def teacher(root: Path) -> RunResult:
    return run(root / "teacher", epochs=12, hidden=64)


def test_the_student_gets_the_teachers_logits_row_by_row(root: Path, teacher: RunResult) -> None:
    from tuneloop.artifact import Artifact, Teacher
    from tuneloop.serving.predictor import Predictor

    section = f", distill: {{artifact: {teacher.artifact}, alpha: 0.8, temperature: 3}}"
    student = run(root / "student", more=section, hidden=8)
    assert student.artifact != teacher.artifact
    taught, teaching = (Artifact.open(Path(str(one.artifact))) for one in (student, teacher))
    assert teaching.manifest.lineage.teacher is None
    assert taught.manifest.lineage.teacher == Teacher(model="flats", sha256=teaching.sha256)
    assert f"Teacher: `flats` `{teaching.sha256}`." in (taught.folder / "card.md").read_text()
    assert "Teacher" not in (teaching.folder / "card.md").read_text()
    (path,) = (root / "student" / ".tuneloop").rglob("teacher.npy")
    answers = np.load(path)
    (split,) = (root / "student" / ".tuneloop").rglob("split*/**/train/state.json")
    rows = open_rows(split.parent)
    assert len(answers) == len(rows)
    predictor = Predictor.open(Artifact.open(Path(str(teacher.artifact))), default_manager())
    for place in (0, 7, len(rows) - 1):
        found = predictor.predict([{name: rows[place][name] for name in ("size", "age", "rent")}]).outputs["logits"][0]
        np.testing.assert_allclose(answers[place], found, rtol=1e-4, atol=1e-4)


def test_another_teacher_is_another_result(root: Path, teacher: RunResult) -> None:
    from tuneloop.pipeline.runs.records import RunRequest
    from tuneloop.pipeline.runs.step import Scope
    from tuneloop.pipeline.tuning.teaching import teacher_inputs

    folder = root / "asks"
    folder.mkdir()
    found = []
    for more in ("", f", distill: {{artifact: {teacher.artifact}}}", ", distill: {artifact: nowhere}"):
        words = {"task": "tabular-classification", "target": "kind", "hidden": 8, "epochs": 1, "more": more}
        (folder / "tuneloop.yaml").write_text(YAML.format(**words))
        plugins = default_manager()
        scope = Scope(load_project(folder, plugins), plugins, RunRequest.__new__(RunRequest))
        if "nowhere" in more:
            with pytest.raises(DataError, match=r"teacher's folder .*nowhere holds no artifact"):
                teacher_inputs(scope)
        else:
            found.append(teacher_inputs(scope))
    assert found[0] is None
    assert len(str(found[1])) == 64


def test_a_teacher_of_another_task_or_that_was_changed_is_refused(root: Path, teacher: RunResult) -> None:
    section = f", distill: {{artifact: {teacher.artifact}}}"
    with pytest.raises(RunError, match="is for task 'tabular-classification'; this project's is 'tabular-regression'"):
        run(root / "values", task="tabular-regression", target="rent", more=section)
    broken = root / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError, match="is not a manifest"):
        run(root / "broken-student", more=f", distill: {{artifact: {broken}}}")


def test_words_of_a_row_stand_in_front() -> None:
    logits = np.full((2, 4, 2), ABSENT, np.float32)
    logits[0, 1], logits[0, 3], logits[1, 2] = (1, 2), (3, 4), (5, 6)
    assert words_in_order(logits).tolist() == [[[1, 2], [3, 4]], [[5, 6], [ABSENT, ABSENT]]]
    flat = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert words_in_order(flat) is flat


@pytest.mark.parametrize("shape", [(3, 2), (3, 4, 2)])
def test_the_column_keeps_its_shape(shape: tuple[int, ...]) -> None:
    from datasets import Dataset

    from tuneloop_torch.rows import read_rows

    logits = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    rows = read_rows(with_column(Dataset.from_dict({"labels": [0, 1, 2]}), logits), ())
    assert rows.teacher is not None
    np.testing.assert_array_equal(rows.teacher, logits)
    np.testing.assert_array_equal(rows.select(np.array([2, 0])).teacher, logits[[2, 0]])  # type: ignore[arg-type]
    assert np.array_equal(rows[1]["teacher"], logits[1])

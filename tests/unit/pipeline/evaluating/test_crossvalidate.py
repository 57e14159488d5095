"""Cross-validation of a real table project."""

from __future__ import annotations

import csv
import json
import statistics
from dataclasses import replace

import pytest

from tuneloop.api import ConfigError
from tuneloop.config import Split, load_project
from tuneloop.pipeline import run_pipeline
from tuneloop.pipeline.data.assign import assign
from tuneloop.plugins import default_manager

pytest.importorskip("torch")

ROWS = [{"text": f"row {i}", "who": str(i // 7), "label": "abc"[i % 3]} for i in range(3000)]


def parts(count, **options):
    split = {"validation": 0.1, "test": 0.2, "golden": 0.1, "key": None, "seed": 0, **options}
    return [
        assign(ROWS, ["text"], Split(**split, fold=None if number is None else (number, count)), "label")
        for number in (None, *range(count))
    ]


@pytest.mark.parametrize("options", [{}, {"group": "who"}, {"stratify": True}, {"seed": 3}])
def test_each_row_but_the_golden_is_tested_once(options):
    plain, *folds = parts(5, **options)
    golden = [i for i, name in enumerate(plain) if name == "golden"]
    for placed in folds:
        assert [i for i, name in enumerate(placed) if name == "golden"] == golden
        assert 0.8 < placed.count("test") / ((3000 - len(golden)) / 5) < 1.2
        assert 0.6 < placed.count("validation") / ((3000 - len(golden)) * 0.8 / 7) < 1.4
    for i in set(range(3000)) - set(golden):
        assert [placed[i] for placed in folds].count("test") == 1


def test_groups_stay_together_and_classes_are_spread():
    for placed in parts(4, group="who")[1:]:
        homes = {}
        for row, name in zip(ROWS, placed, strict=True):
            homes.setdefault(row["who"], set()).add(name)
        assert all(len(names) == 1 for names in homes.values())
    for placed in parts(4, stratify=True)[1:]:
        tested = [row["label"] for row, name in zip(ROWS, placed, strict=True) if name == "test"]
        counts = [tested.count(label) for label in "abc"]
        assert max(counts) - min(counts) < 0.1 * len(tested)


def test_the_same_training_is_tested_on_each_part(table_project):
    path = table_project / "tuneloop.yaml"
    path.write_text(path.read_text().replace("evaluate: {", "evaluate: {folds: 3, "))
    seen = []
    project = load_project(table_project, default_manager())
    result = run_pipeline(project, default_manager(), listen=seen.append)
    assert result.state == "passed"
    steps = [event.step for event in seen if event.kind == "finished"]
    assert steps[steps.index("evaluate") + 1] == "crossvalidate"
    (done,) = [event for event in seen if event.kind == "finished" and event.step == "crossvalidate"]
    (folder,) = (table_project / ".tuneloop" / "steps").glob("crossvalidate-*")
    found = json.loads((folder / "output.json").read_bytes())["output"]
    values = found["metrics"]["macro_f1"]["values"]
    assert len(values) == 3 == len(set(values))
    assert min(values) > 0.6
    assert done.data == {
        "folds": 3,
        "mean": pytest.approx(statistics.fmean(values)),
        "spread": pytest.approx(statistics.stdev(values)),
    }
    records = [event for event in seen if event.step == "crossvalidate" and event.kind == "record"]
    assert {event.data["fold"] for event in records} == {1, 2, 3}
    page = result.report.read_text()
    assert "Cross-validation" in page
    assert all(f"{value:.4f}" in page for value in values)
    left = [path.name.partition("-")[0] for path in (table_project / ".tuneloop" / "steps").iterdir()]
    assert left.count("tune") == left.count("split") == 1
    assert "(tune, crossvalidate); CO2" in (result.report.parent / "card.md").read_text(), "the energy of all training"


def test_a_metric_without_a_value_on_some_rows_is_left_out_there(tmp_path, write_project):
    folder = write_project(tmp_path / "income", rows=300, epochs=2)
    path, people = folder / "tuneloop.yaml", folder / "people.csv"
    text = path.read_text().replace("[macro_f1, accuracy]", "[accuracy, auroc], folds: 3")
    path.write_text(text.replace("{require: {macro_f1: 0.7}, champion: {metric: macro_f1, margin: 0.05}}", "{}"))
    project = load_project(folder, default_manager())
    with people.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    # Of one class alone: the test rows of the run, and of the first part.
    placed = [assign(rows, [], replace(project.data.split, fold=fold), "income") for fold in (None, (0, 3))]
    for row, *homes in zip(rows, *placed, strict=True):
        row["income"] = "high" if float(row["hours"]) > 30 and "test" not in homes else "low"
    with people.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    result = run_pipeline(project, default_manager())
    assert set(result.metrics["test"]) == {"accuracy"}
    assert set(result.metrics["golden"]) == {"accuracy", "auroc"}
    (step,) = (folder / ".tuneloop" / "steps").glob("crossvalidate-*")
    found = json.loads((step / "output.json").read_bytes())["output"]["metrics"]
    first, *others = found["auroc"]["values"]
    assert first is None
    assert found["auroc"]["mean"] == pytest.approx(statistics.fmean(others))
    assert None not in found["accuracy"]["values"]
    assert "of 2 parts" in result.report.read_text()


def test_later_rows_do_not_teach_about_earlier_ones(table_project):
    path = table_project / "tuneloop.yaml"
    text = path.read_text().replace("evaluate: {", "evaluate: {folds: 3, ").replace("key: id", "time: id")
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"evaluate\.folds without data\.split\.time"):
        load_project(table_project, default_manager())

"""From data to a version that answers: several labels, numbers and answers in a text. Real runs of tiny models."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
from tests.served import assessment, champion, served

from tuneloop.pipeline.data.rows import open_rows
from tuneloop.pipeline.evaluating.scoring import judge
from tuneloop.pipeline.runs.cache import load_result
from tuneloop.pipeline.runs.records import read_steps, run_folder
from tuneloop.pipeline.tuning import baseline
from tuneloop.plugins import default_manager
from tuneloop.tasks import QuestionAnsweringOrNone

pytest.importorskip("dbos")
pytestmark = pytest.mark.slow

PROJECT = """name: {name}
task: {task}
data: {{source: jsonl, path: rows.jsonl, columns: {{{columns}, label: label}},
  split: {{validation: 0.2, test: 0.2, golden: 0.2}}}}
model: {{base: {base}, checkpoint: tiny, max_length: 16{more}}}
tune: {{strategy: full, epochs: {epochs}, learning_rate: 5.0e-3, head_learning_rate: 3.0e-2, batch_size: 8}}
gate: {{champion: {{metric: {metric}, margin: 0.1}}}}
evaluate: {{metrics: [{metric}{also}]}}
export: {{format: onnx, quantize: {{mode: int8-dynamic, max_loss: 0.3}}}}
"""
WORDS = ("good", "bad", "day", "night")


def write(folder, checkpoint, rows, **settings):
    folder.mkdir()
    shutil.copytree(checkpoint, folder / "tiny")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "tuneloop.yaml").write_text(PROJECT.format(**{"more": "", "also": "", "epochs": 10, **settings}))
    return folder


def raw(client, name, **columns):
    """The output tensors of the raw door, by name, for one row."""
    tensors = [{"name": key, "shape": [1], "datatype": "BYTES", "data": [value]} for key, value in columns.items()]
    answer = client.post(f"/v2/models/{name}/infer", json={"inputs": tensors}).json()
    return {output["name"]: output["data"] for output in answer["outputs"]}


def test_any_number_of_labels(tmp_path, checkpoint):
    draw = random.Random(3)
    rows = []
    for _ in range(200):
        words = draw.choices(WORDS, k=draw.randint(1, 7))
        rows.append({"text": " ".join(words), "label": sorted(set(words) & {"good", "night"})})
    assert [] in [row["label"] for row in rows]
    folder = write(
        tmp_path / "moods", checkpoint, rows, name="moods", task="multi-label-classification", base="transformers",
        columns="text: text", metric="label_f1", also=", auroc, calibration_error",
    )  # fmt: skip
    project, result, loaded = champion(folder)
    metrics = loaded.artifact.manifest.metrics
    assert metrics["label_f1"] > 0.9
    assert metrics["auroc"] > 0.9
    temperature = loaded.artifact.manifest.temperature
    assert (temperature.rows % 2, temperature.value) == (0, loaded.predictor.temperature)
    assert f"{temperature.rows} validation decisions on labels" in temperature.reason
    assert temperature.error_after == pytest.approx(metrics["calibration_error"], abs=1e-4)
    page = result.report.read_text()
    assert '<section id="calibration">' in page
    assert '<section id="labels">' in page
    asked = [{"text": text} for text in ("good night", "bad day", "night night")]
    answers = loaded.predictor.predict(asked).answers
    assert [set(answer["labels"]) for answer in answers] == [{"good", "night"}, set(), {"night"}]
    with served(project, result) as client:
        sent = client.post("/predict", json={"rows": asked}).json()["predictions"]
        assert [answer["labels"] for answer in sent] == [answer["labels"] for answer in answers]
        labels = [{"id": sent[0]["id"], "label": ["good"]}, {"id": sent[1]["id"], "label": []}]
        taken = client.post("/feedback", json={"items": [*labels, {"id": sent[2]["id"], "label": "night"}]}).json()
        assert taken["stored"] == 2
        assert "a label is a list of labels" in taken["refused"][0]["reason"]
        assert set(raw(client, "moods", text="good night")) >= {"logits", "confidence", "scores"}


def test_numbers_of_texts(tmp_path, checkpoint):
    draw = random.Random(4)
    rows = []
    for _ in range(200):
        words = draw.choices(WORDS, k=draw.randint(1, 7))
        share = sum({"good": 1.0, "bad": -1.0}.get(word, 0.0) for word in words) / len(words)
        rows.append({"text": " ".join(words), "label": round(40 + 10 * share, 3)})
    folder = write(
        tmp_path / "scores", checkpoint, rows, name="scores", task="text-regression", base="transformers",
        columns="text: text", metric="rmse", epochs=15,
    )  # fmt: skip
    project, result, loaded = champion(folder)
    assert loaded.artifact.manifest.metrics["rmse"] < 2.0
    with served(project, result) as client:
        asked = {"rows": [{"text": "good good good"}, {"text": "bad bad bad"}]}
        high, low = client.post("/predict", json=asked).json()["predictions"]
        assert high["value"] > 45
        assert low["value"] < 35
        labels = [{"id": high["id"], "label": 48.5}, {"id": low["id"], "label": "cold"}]
        taken = client.post("/feedback", json={"items": labels}).json()
        assert taken["stored"] == 1
        assert "finite number" in taken["refused"][0]["reason"]
        refused = client.post("/predict", json={"rows": [{"text": "  "}]})
        assert (refused.status_code, refused.json()["field"]) == (422, "text")


def test_answers_in_a_text(tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr(baseline, "_PROBE_SPANS", 20)
    draw = random.Random(5)
    rows = []
    for number in range(240):
        words = draw.choices(("good", "bad"), k=draw.randint(3, 30 if number % 6 == 0 else 8))
        place = draw.randrange(len(words))
        words[place] = draw.choice(("day", "night"))
        text, context = words[place], " ".join(words)
        # Some answers are nowhere in their text: the tuned model and the probe are judged by those rows too.
        text = "noon" if number % 30 == 7 else text
        label = [{"text": text, "answer_start": context.find(text) if number % 2 else -1}]
        rows.append({"question": "good day", "context": context, "label": label})
    folder = write(
        tmp_path / "times", checkpoint, rows, name="times", task="question-answering", base="transformers-spans",
        columns="question: question, context: context", metric="answer_f1", more=", overlap: 4", epochs=6,
    )  # fmt: skip
    project, result, loaded = champion(folder)
    assert loaded.artifact.manifest.metrics["answer_f1"] > 0.9
    gain, rows = assessment(project)["gains"]["probe"], loaded.artifact.manifest.data.rows
    assert gain["rows"] == rows["test"] > 2 * 20, "the probe answered other rows than the tuned model"
    long = " ".join(["good", "bad"] * 20 + ["night"] + ["bad"] * 10)
    asked = [{"question": "good day", "context": text} for text in ("bad bad day good", long)]
    answers = loaded.predictor.predict(asked).answers
    for row, answer, right in zip(asked, answers, ("day", "night"), strict=True):
        assert (answer["answer"], row["context"][answer["start"] : answer["end"]]) == (right, right)
        (alone,) = loaded.predictor.predict([row]).answers
        assert (alone["answer"], alone["start"]) == (answer["answer"], answer["start"]), "its batch changes an answer"
    with served(project, result) as client:
        sent = client.post("/predict", json={"rows": asked}).json()["predictions"]
        assert [answer["answer"] for answer in sent] == ["day", "night"]
        labels = [{"id": sent[0]["id"], "label": "The day."}, {"id": sent[1]["id"], "label": ["night", "a night"]}]
        taken = client.post("/feedback", json={"items": labels}).json()
        assert taken["stored"] == 2
        page = client.get("/metrics").text
        assert 'tuneloop_labels_total{model="times",outcome="correct",version="1"} 2.0' in page
        for question, context, field in (
            ("", "bad", "context"),
            ("good " * 9, "bad", "question"),
            ("good", 3, "context"),
        ):
            row = {"question": question or "good", "context": context if question else " "}
            refused = client.post("/predict", json={"rows": [row]})
            assert (refused.status_code, refused.json()["field"]) == (422, field)
        found = raw(client, "times", question="good day", context="bad night")
        assert found["answer"] == ["night"]
        assert set(found) >= {"logits", "confidence", "start", "end"}


def test_answers_in_a_text_or_none(tmp_path, checkpoint):
    draw = random.Random(8)
    rows = []
    for number in range(240):
        words = draw.choices(("good", "bad"), k=draw.randint(3, 30 if number % 6 == 0 else 8))
        label = {"text": [], "answer_start": []}
        if number % 3:
            words[draw.randrange(len(words))] = text = draw.choice(("day", "night"))
            label = {"text": [text], "answer_start": [" ".join(words).index(text)]}
        rows.append({"question": "good day", "context": " ".join(words), "label": label})
    folder = write(
        tmp_path / "maybe", checkpoint, rows, name="maybe", task="question-answering-or-none",
        base="transformers-spans", columns="question: question, context: context", metric="answer_f1",
        more=", overlap: 4", epochs=8,
    )  # fmt: skip
    project, result, loaded = champion(folder)
    assert sum(loaded.artifact.manifest.data.rows.values()) == len(rows), "rows without an answer were left out"
    assert loaded.artifact.manifest.metrics["answer_f1"] > 0.9
    assert set(loaded.artifact.manifest.task.state) == {"longest", "threshold"}
    assert loaded.predictor.task.threshold == loaded.artifact.manifest.task.state["threshold"]
    contexts = ("bad bad day good", "good bad bad", " ".join(["good", "bad"] * 20), " ".join(["bad"] * 40 + ["night"]))
    asked = [{"question": "good day", "context": text} for text in contexts]
    answers = loaded.predictor.predict(asked).answers
    assert [answer["answer"] for answer in answers] == ["day", "", "", "night"]
    with served(project, result) as client:
        sent = client.post("/predict", json={"rows": asked}).json()["predictions"]
        assert [answer["answer"] for answer in sent] == ["day", "", "", "night"]
        labels = [{"id": sent[0]["id"], "label": ""}, {"id": sent[1]["id"], "label": []}]
        assert client.post("/feedback", json={"items": labels}).json()["stored"] == 2
        page = client.get("/metrics").text
        for outcome in ("correct", "wrong"):
            assert f'tuneloop_labels_total{{model="maybe",outcome="{outcome}",version="1"}} 1.0' in page
        assert raw(client, "maybe", question="good day", context="bad bad")["answer"] == [""]


def test_every_figure_is_that_of_the_settled_threshold(tmp_path, checkpoint):
    draw = random.Random(8)
    rows = []
    for _ in range(200):
        words = ["day", "night", *draw.choices(("good", "bad"), k=draw.randint(1, 4))]
        draw.shuffle(words)
        # Two answers are right where there is one, so that none is likelier than either, and less often right.
        right = draw.sample(("day", "night"), 2) if draw.random() < 0.58 else []
        rows.append({"question": "good", "context": " ".join(words), "label": right})
    folder = write(
        tmp_path / "flat", checkpoint, rows, name="flat", task="question-answering-or-none",
        base="transformers-spans", columns="question: question, context: context", metric="answer_f1", epochs=3,
    )  # fmt: skip
    project, result, loaded = champion(folder)
    folders = read_steps(run_folder(project.state, result.run))
    found = {
        name: load_result(name, project.state / "steps" / folders[name][0])
        for name in ("split", "tune", "evaluate", "verify", "profile")
    }
    f1 = default_manager().create("metric", "answer_f1")
    settled, plain = QuestionAnsweringOrNone.from_state(found["evaluate"].output["settled"]), QuestionAnsweringOrNone()
    assert loaded.predictor.task.threshold == pytest.approx(settled.threshold, abs=0.2) != 0.0
    best = max(record["answer_f1"] for record in found["tune"].output["history"])
    for split in ("validation", "test"):
        data = open_rows(found["split"].folder / split)
        checked = loaded.predictor.preprocessor.check([{n: row[n] for n in ("question", "context")} for row in data])
        with np.load(found["evaluate"].folder / f"outputs-{split}.npz") as outputs:
            kept = dict(outputs)
        by = {task: f1.compute(*judge(task, kept, data["label"], checked)) for task in (settled, plain)}
        told = found["evaluate"].output["metrics"][split]["answer_f1"]
        assert told == pytest.approx(by[settled]) != pytest.approx(by[plain])
    variants = found["verify"].output["variants"]
    assert best == found["evaluate"].output["metrics"]["validation"]["answer_f1"]
    assert best == pytest.approx(variants["float32"]["metrics"]["answer_f1"])
    assert "validation, which settled both" in variants["int8-dynamic"]["reason"]
    assert found["evaluate"].summary["settled on"] == "validation"
    assert told == pytest.approx(loaded.artifact.manifest.metrics["answer_f1"], abs=0.1)

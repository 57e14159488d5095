"""From data to a version that answers: several labels, numbers and answers in a text. Real runs of tiny models."""

from __future__ import annotations

import contextlib
import json
import random
import shutil

import httpx
import pytest

from tuneloop.config import load_project
from tuneloop.monitoring.stack import free_port
from tuneloop.pipeline import run_pipeline
from tuneloop.pipeline.delivering.package import bento_home
from tuneloop.plugins import default_manager
from tuneloop.registry import CHAMPION, Registry
from tuneloop.serving.loader import load_version
from tuneloop.serving.packaging.bento import bento_folder
from tuneloop.serving.server import start_server

pytest.importorskip("dbos")
pytestmark = pytest.mark.slow

PROJECT = """name: {name}
task: {task}
data: {{source: jsonl, path: rows.jsonl, columns: {{{columns}, label: label}},
  split: {{validation: 0.2, test: 0.2, golden: 0.2}}}}
model: {{base: {base}, checkpoint: tiny, max_length: 16{more}}}
tune: {{strategy: full, epochs: {epochs}, learning_rate: 5.0e-3, head_learning_rate: 3.0e-2, batch_size: 8}}
gate: {{champion: {{metric: {metric}, margin: 0.1}}}}
evaluate: {{metrics: [{metric}]}}
export: {{format: onnx, quantize: {{mode: int8-dynamic, max_loss: 0.3}}}}
"""
WORDS = ("good", "bad", "day", "night")


def write(folder, checkpoint, rows, **settings):
    folder.mkdir()
    shutil.copytree(checkpoint, folder / "tiny")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "tuneloop.yaml").write_text(PROJECT.format(**{"more": "", "epochs": 10, **settings}))
    return folder


def champion(folder):
    """A run's project, result and version."""
    plugins = default_manager()
    project = load_project(folder, plugins)
    result = run_pipeline(project, plugins, who="ada")
    assert result.state == "passed", result
    assert result.report.read_text().startswith("<!doctype html>")
    return project, result, load_version(Registry(project).fetch(CHAMPION).folder, "1")


@contextlib.contextmanager
def served(project, result, folder):
    """A client of a server of the Bento that a run made."""
    bento = bento_folder(bento_home(project.state), result.bento)
    store = f"sqlite:///{folder}/store.db"
    server = start_server(
        str(bento), home=folder / "home", log=folder / "server.txt", port=free_port(), store_url=store
    )
    with server, httpx.Client(base_url=server.url, timeout=120) as client:
        server.wait_ready(300)
        yield client


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
        columns="text: text", metric="label_f1",
    )  # fmt: skip
    project, result, loaded = champion(folder)
    metrics = loaded.artifact.manifest.metrics
    assert metrics["label_f1"] > 0.9
    asked = [{"text": text} for text in ("good night", "bad day", "night night")]
    answers = loaded.predictor.predict(asked).answers
    assert [set(answer["labels"]) for answer in answers] == [{"good", "night"}, set(), {"night"}]
    with served(project, result, tmp_path) as client:
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
    with served(project, result, tmp_path) as client:
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


def test_answers_in_a_text(tmp_path, checkpoint):
    draw = random.Random(5)
    rows = []
    for number in range(240):
        words = draw.choices(("good", "bad"), k=draw.randint(3, 30 if number % 6 == 0 else 8))
        place = draw.randrange(len(words))
        words[place] = draw.choice(("day", "night"))
        text, context = words[place], " ".join(words)
        label = [{"text": text, "answer_start": context.index(text) if number % 2 else -1}]
        rows.append({"question": "good day", "context": context, "label": label})
    folder = write(
        tmp_path / "times", checkpoint, rows, name="times", task="question-answering", base="transformers-spans",
        columns="question: question, context: context", metric="answer_f1", more=", overlap: 4", epochs=6,
    )  # fmt: skip
    project, result, loaded = champion(folder)
    assert loaded.artifact.manifest.metrics["answer_f1"] > 0.9
    long = " ".join(["good", "bad"] * 20 + ["night"] + ["bad"] * 10)
    asked = [{"question": "good day", "context": text} for text in ("bad bad day good", long)]
    answers = loaded.predictor.predict(asked).answers
    for row, answer, right in zip(asked, answers, ("day", "night"), strict=True):
        assert (answer["answer"], row["context"][answer["start"] : answer["end"]]) == (right, right)
        (alone,) = loaded.predictor.predict([row]).answers
        assert (alone["answer"], alone["start"]) == (answer["answer"], answer["start"]), "its batch changes an answer"
    with served(project, result, tmp_path) as client:
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
    with served(project, result, tmp_path) as client:
        sent = client.post("/predict", json={"rows": asked}).json()["predictions"]
        assert [answer["answer"] for answer in sent] == ["day", "", "", "night"]
        labels = [{"id": sent[0]["id"], "label": ""}, {"id": sent[1]["id"], "label": []}]
        assert client.post("/feedback", json={"items": labels}).json()["stored"] == 2
        page = client.get("/metrics").text
        for outcome in ("correct", "wrong"):
            assert f'tuneloop_labels_total{{model="maybe",outcome="{outcome}",version="1"}} 1.0' in page
        assert raw(client, "maybe", question="good day", context="bad bad")["answer"] == [""]

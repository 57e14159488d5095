"""From data to a version that answers: words with a tag each, and sounds. Real runs of tiny models."""

from __future__ import annotations

import base64
import json
import random
import shutil

import numpy as np
import pytest
from tests.served import champion, served

pytest.importorskip("dbos")
pytestmark = pytest.mark.slow

COMMON = """
gate: {{champion: {{metric: {metric}, margin: 0.1}}}}
evaluate: {{metrics: [{metric}, accuracy]}}
export: {{format: onnx, quantize: {{mode: int8-dynamic, max_loss: 0.2}}}}
"""
TOKENS = """name: times
task: token-classification
data: {source: jsonl, path: rows.jsonl, columns: {tokens: words, label: tags},
  split: {validation: 0.2, test: 0.2, golden: 0.2}}
model: {base: transformers-tokens, checkpoint: tiny, max_length: 16, overlap: 4}
tune: {strategy: full, epochs: 12, learning_rate: 1.0e-2, head_learning_rate: 3.0e-2}""" + COMMON.format(
    metric="entity_f1"
)
SOUNDS = """name: tones
task: audio-classification
data: {source: audio-folder, path: sounds, columns: {audio: audio, label: label}, split: {validation: 0.2, test: 0.2,
  golden: 0.2, key: file}}
model: {base: transformers-audio, checkpoint: tiny, seconds: 0.5}
tune: {strategy: full, epochs: 8, learning_rate: 1.0e-2, head_learning_rate: 3.0e-2, batch_size: 8}""" + COMMON.format(
    metric="macro_f1"
)


def write_words(folder, checkpoint):
    """`day` and `night` are times; some rows are longer than one window."""
    folder.mkdir()
    shutil.copytree(checkpoint, folder / "tiny")
    draw = random.Random(3)
    rows = []
    for number in range(160):
        words = draw.choices(["good", "bad", "day", "night"], k=draw.randint(2, 24 if number % 8 == 0 else 9))
        tags = [
            "O" if word in ("good", "bad") else ("I-time" if i and words[i - 1] in ("day", "night") else "B-time")
            for i, word in enumerate(words)
        ]
        rows.append(json.dumps({"words": words, "tags": tags}))
    (folder / "rows.jsonl").write_text("\n".join(rows))
    (folder / "tuneloop.yaml").write_text(TOKENS)
    return folder


def test_words_are_tagged_from_data_to_a_version_that_answers(tmp_path, checkpoint):
    project, result, loaded = champion(write_words(tmp_path / "times", checkpoint))
    assert loaded.artifact.manifest.metrics["entity_f1"] > 0.5
    assert result.report.read_text().startswith("<!doctype html>")
    rows = [{"words": "good day, bad night"}, {"words": ["bad"] * 30 + ["day"]}, {"words": ["good"]}]
    answers = loaded.predictor.predict(rows).answers
    assert [len(answer["tags"]) for answer in answers] == [5, 31, 1]
    assert any(entity["text"] == "day" and entity["start"] == 5 for entity in answers[0]["entities"])
    for row, answer in zip(rows, answers, strict=True):
        (alone,) = loaded.predictor.predict([row]).answers
        assert alone["tags"] == answer["tags"], "an answer depends on longer neighbours"
    with served(project, result) as client:
        sent = client.post("/predict", json={"rows": rows}).json()["predictions"]
        assert [answer["tags"] for answer in sent] == [answer["tags"] for answer in answers]
        labels = [{"id": sent[0]["id"], "label": sent[0]["tags"]}, {"id": sent[2]["id"], "label": ["O", "O"]}]
        taken = client.post("/feedback", json={"items": labels}).json()
        assert taken["stored"] == 1
        assert "has 2 tags, but the row has 1 words" in taken["refused"][0]["reason"]
        refused = client.post("/predict", json={"rows": [{"words": ["day", 3]}]})
        assert (refused.status_code, refused.json()["field"]) == (422, "words")
        tensor = {"name": "words", "shape": [1], "datatype": "BYTES", "data": ["good day"]}
        raw = client.post("/v2/models/times/infer", json={"inputs": [tensor]}).json()
        assert {output["name"] for output in raw["outputs"]} >= {"logits", "confidence"}


def test_sounds_are_told_apart_from_data_to_a_version_that_answers(tmp_path, whisper):
    soundfile = pytest.importorskip("soundfile")
    folder = tmp_path / "tones"
    folder.mkdir()
    shutil.copytree(whisper, folder / "tiny")
    generator = np.random.default_rng(0)
    for number in range(80):
        label, hertz = (("low", 250.0), ("high", 2500.0))[number % 2]
        time = np.arange(int(generator.uniform(0.1, 0.5) * 8_000)) / 8_000
        wave = 0.5 * np.sin(2 * np.pi * hertz * generator.uniform(0.9, 1.1) * time)
        (folder / "sounds" / label).mkdir(parents=True, exist_ok=True)
        noise = generator.normal(size=len(time)) * 0.01
        suffix = ("wav", "flac")[number % 4 // 2]
        soundfile.write(folder / "sounds" / label / f"{number}.{suffix}", (wave + noise).astype(np.float32), 8_000)
    (folder / "tuneloop.yaml").write_text(SOUNDS)
    project, result, loaded = champion(folder)
    assert loaded.artifact.manifest.metrics["macro_f1"] > 0.9
    time = np.arange(4_000) / 16_000
    samples = (0.5 * np.sin(2 * np.pi * 2500 * time)).tolist()
    (answer,) = loaded.predictor.predict([{"audio": {"array": samples, "sampling_rate": 16_000}}]).answers
    assert answer["label"] == "high"
    with served(project, result) as client:
        sound = base64.b64encode((folder / "sounds" / "low" / "2.flac").read_bytes()).decode()
        sent = client.post("/predict", json={"rows": [{"audio": sound}]}).json()["predictions"]
        assert sent[0]["label"] == "low"
        for wrong in ("bm8gc291bmQ=", {"array": [0.0] * 8_000, "sampling_rate": 8_000}, 3):
            refused = client.post("/predict", json={"rows": [{"audio": wrong}]})
            assert (refused.status_code, refused.json()["field"]) == (422, "audio")

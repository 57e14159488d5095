"""Long texts and their short ones from a file to a served Bento that summarizes: a vocabulary of its own data."""

from __future__ import annotations

import json
import random
from itertools import product
from pathlib import Path

import pytest
from tests.served import champion, served

pytest.importorskip("dbos")
pytestmark = pytest.mark.slow

YAML = """\
name: briefs
task: summarization
data: {source: jsonl, path: texts.jsonl, columns: {text: body, label: brief}, split: {validation: 0.15, test: 0.15,
  golden: 0.15}}
model: {base: seq2seq-small, vocabulary: 60, width: 32, layers: 1, heads: 2, dropout: 0.0, max_tokens: 20}
tune: {strategy: full, epochs: 14, learning_rate: 1.0e-2, batch_size: 16}
gate: {require: {rouge_l: 0.9}, champion: {metric: rouge_l, margin: 0.1}}
export: {format: onnx}
"""
BEASTS, DEEDS = ("cat", "dog", "bird", "mouse"), ("runs", "sleeps", "eats", "sings")
COLOURS, PLACES = ("red", "blue", "old", "small"), ("house", "garden", "wood", "field")


def body(beast: str, deed: str, draw: random.Random) -> str:
    return f"the {draw.choice(COLOURS)} {beast} {deed} today in the {draw.choice(COLOURS)} {draw.choice(PLACES)} ."


def test_texts_are_summarized_by_a_served_version(tmp_path: Path) -> None:
    draw = random.Random(7)
    chosen = draw.choices(list(product(BEASTS, DEEDS)), k=240)
    rows = [{"body": body(beast, deed, draw), "brief": f"{beast} {deed}"} for beast, deed in chosen]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "tuneloop.yaml").write_text(YAML)
    project, result, loaded = champion(tmp_path)
    metrics = loaded.artifact.manifest.metrics
    assert set(metrics) >= {"rouge_l", "rouge1", "rouge2"}
    assert metrics["rouge_l"] > 0.9
    asked = [{"body": body("cat", "sings", draw)}, {"body": body("bird", "sleeps", draw)}]
    right = ["cat sings", "bird sleeps"]
    assert [answer["summary"] for answer in loaded.predictor.predict(asked).answers] == right
    with served(project, result) as client:
        sent = client.post("/predict", json={"rows": asked}).json()["predictions"]
        assert [answer["summary"] for answer in sent] == right
        assert {answer["finish_reason"] for answer in sent} == {"stop"}
        found = client.post("/v2/models/briefs/generate", json={"text_input": asked[0]["body"]}).json()
        assert found["text_output"] == right[0]
        labels = [{"id": answer["id"], "label": brief} for answer, brief in zip(sent, right, strict=True)]
        assert client.post("/feedback", json={"items": labels}).json()["stored"] == 2
        refused = client.post("/predict", json={"rows": [{"body": "a", "brief": "b"}]})
        assert (refused.status_code, refused.json()["field"]) == (422, "brief")

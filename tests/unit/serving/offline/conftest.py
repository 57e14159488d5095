"""A tiny real text model: the mean of word vectors; rows of one length share a call, as in any transformer."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer, models, pre_tokenizers

from tuneloop.api import SignalBatch, Tensor
from tuneloop.artifact import Artifact, DataUse, Lineage, Manifest, Parity, Part, PluginUse, Signature, Variant, seal
from tuneloop.monitoring.reference import REFERENCE_FILE, build_reference
from tuneloop.monitoring.signals import create_signals, tuneloop_signals
from tuneloop.preprocessing.text import TextPreprocessor, TextSettings
from tuneloop.serving.loader import Loaded, load_version
from tuneloop.serving.predictor import Predictor
from tuneloop.serving.versions.examples import answer_each, write_examples
from tuneloop.tasks.text_classification import TextClassification

WORDS = ["the", "a", "good", "bad", "train", "late", "coffee", "cold", "warm", "room", "key", "lost"]
MOODS = ("calm", "cross", "glad")


def _graph() -> Any:
    generator = np.random.default_rng(3)
    weights = {
        "e": generator.normal(size=(len(WORDS) + 1, 16)).astype(np.float32),
        "w": generator.normal(size=(16, len(MOODS))).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["e", "input_ids"], ["words"], axis=0),
        helper.make_node("ReduceMean", ["words"], ["embedding"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["embedding", "w"], ["logits"]),
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(MOODS)]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 16]),
    ]
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "moods", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def make_messages(count: int, seed: int = 0) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randint(1, 12))) for _ in range(count)]


def make_text_artifact(folder: Path, variant: str = "float32") -> Artifact:
    folder.mkdir(parents=True)
    save(_graph(), folder / "model.onnx")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["[UNK]", *WORDS])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    settings = TextSettings(
        tokenizer=tokenizer.to_str(), tensors=("input_ids",), max_length=16, unknown_id=0, column="message"
    )
    preprocessor, task = TextPreprocessor(settings), TextClassification(MOODS)
    (folder / "preprocessor").mkdir()
    preprocessor.save(folder / "preprocessor")
    predictor = Predictor(folder / "model.onnx", task, preprocessor)
    rows = [{"message": message} for message in make_messages(40)]
    write_examples(folder, rows[:5], answer_each(predictor, rows[:5]))
    done = predictor.predict(rows)
    signals = create_signals(
        list(tuneloop_signals()), preprocessor.columns, preprocessor.tensors, task.output_names, 16
    )
    batch = SignalBatch(done.rows, done.encoded, done.outputs, done.answers)
    build_reference(signals, [batch], errors=[0.0] * 30 + [1.0] * 10).save(folder / REFERENCE_FILE)
    (folder / "card.md").write_text("# Moods\n")
    outputs = (Tensor("logits", "float32", ("batch", len(MOODS))), Tensor("embedding", "float32", ("batch", 16)))
    own = ("core-preprocessing", "core-signals", "core-tasks")
    manifest = Manifest(
        model="moods",
        task=Part(name=task.name, state=task.state()),
        preprocessor=preprocessor.name,
        base_model="transformers",
        strategy="full",
        signature=Signature(
            columns=preprocessor.columns, inputs=preprocessor.tensors, outputs=outputs, output_names=task.output_names
        ),
        metrics={},
        variants={variant: Variant(bytes=1, metrics={}, served=True, reason="the only one")},
        parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
        data=DataUse(fingerprint="none", rows={"train": 1}),
        lineage=Lineage(parent=None, pipeline="none"),
        plugins=(PluginUse(distribution="tuneloop", version=version("tuneloop"), names=own, serving=True),),
        libraries={},
    )
    return seal(folder, manifest)


@pytest.fixture(scope="session")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_text_artifact(tmp_path_factory.mktemp("moods") / "artifact")


@pytest.fixture(scope="session")
def text_model(moods: Artifact) -> Loaded:
    return load_version(moods.folder, "1")


@pytest.fixture(scope="session")
def quantized_model(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A model whose manifest says that rows may not share a call."""
    return load_version(make_text_artifact(tmp_path_factory.mktemp("moods") / "artifact", "int8-dynamic").folder, "1")


@pytest.fixture(scope="session")
def table_model(artifacts: Callable[..., Artifact]) -> Loaded:
    return load_version(artifacts(1).folder, "1")


@pytest.fixture(scope="session")
def messages() -> Callable[..., list[str]]:
    return make_messages


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows, or lines as they are."""

    def write(rows: list[Any], name: str = "in.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return path

    return write


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: list[dict[str, Any]], name: str = "in.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write

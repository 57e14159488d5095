"""A tiny real artifact: a linear ONNX model over two numbers and a category, sealed like any other."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from tuneloop.api import SignalBatch, Tensor
from tuneloop.artifact import (
    Artifact,
    DataUse,
    Lineage,
    Manifest,
    Parity,
    Part,
    PluginUse,
    Signature,
    Temperature,
    Variant,
    seal,
)
from tuneloop.monitoring.accuracy.calibration import Calibration
from tuneloop.monitoring.reference import REFERENCE_FILE, build_reference
from tuneloop.monitoring.signals import create_signals, tuneloop_signals
from tuneloop.monitoring.stack import free_port
from tuneloop.preprocessing.tabular import CategoryColumn, NumberColumn, TabularPreprocessor, TabularSettings
from tuneloop.serving.predictor import Predictor
from tuneloop.serving.versions.examples import write_examples
from tuneloop.tasks.tabular_classification import TabularClassification

MODEL = "tiny-income"
JOBS = ("clerk", "cook", "pilot")


def make_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    return [
        {
            "age": float(generator.integers(18, 80)),
            "hours per week": None if i % 7 == 3 else float(generator.integers(1, 60)),
            "job": JOBS[i % 3],
        }
        for i in range(count)
    ]


def make_graph(seed: int) -> Any:
    generator = np.random.default_rng(seed)
    weights = {
        "w": generator.normal(size=(3, 2)).astype(np.float32),
        "e": generator.normal(size=(len(JOBS) + 2, 2)).astype(np.float32),
        "first": np.array(0, dtype=np.int64),
    }
    nodes = [
        helper.make_node("MatMul", ["numeric", "w"], ["linear"]),
        helper.make_node("Gather", ["categorical", "first"], ["position"], axis=1),
        helper.make_node("Gather", ["e", "position"], ["job"], axis=0),
        helper.make_node("Add", ["linear", "job"], ["logits"]),
        helper.make_node("Identity", ["numeric"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("categorical", TensorProto.INT64, ["batch", 1]),
        ],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tempered_by(value: float) -> Temperature:
    """The temperature of a manifest, as if it had been fitted."""
    return Temperature(value=value, rows=40, reason="log loss 0.9 -> 0.6", error_before=0.2, error_after=0.1)


def make_artifact(
    folder: Path,
    seed: int = 0,
    *,
    model: str = MODEL,
    wrong_answers: bool = False,
    graph: Any = None,
    plugins: tuple[PluginUse, ...] = (),
    temperature: float = 1.0,
) -> Artifact:
    folder.mkdir(parents=True)
    save(graph or make_graph(seed), folder / "model.onnx")
    preprocessor = TabularPreprocessor(
        TabularSettings(
            order=("age", "hours per week", "job"),
            numbers=(
                NumberColumn(name="age", mean=45.0, scale=15.0, missing=False),
                NumberColumn(name="hours per week", mean=30.0, scale=15.0, missing=True),
            ),
            categories=(CategoryColumn(name="job", values=JOBS),),
        )
    )
    (folder / "preprocessor").mkdir()
    preprocessor.save(folder / "preprocessor")
    task = TabularClassification(("low", "high"))
    predictor = Predictor(folder / "model.onnx", task, preprocessor, temperature=temperature)
    rows = make_rows(40)
    done = predictor.predict(rows)
    answers = [{**answer, "confidence": 0.123} if wrong_answers else answer for answer in done.answers]
    write_examples(folder, rows[:6], answers[:6])
    outputs = (Tensor("logits", "float32", ("batch", 2)), Tensor("embedding", "float32", ("batch", 3)))
    signals = create_signals(list(tuneloop_signals()), preprocessor.columns, preprocessor.tensors, task.output_names, 3)
    batch = SignalBatch(done.rows, done.encoded, done.outputs, done.answers)
    reference = build_reference(signals, [batch], errors=[0.0] * 36 + [1.0] * 4)
    calibration = Calibration(classes=task.output_names, curves=(None, None))
    watched = {"slices": ("answer", "column:job"), "calibration": calibration}
    reference.model_copy(update=watched).save(folder / REFERENCE_FILE)
    (folder / "card.md").write_text("# A tiny model\n")
    (folder / "training").mkdir()
    (folder / "training" / "weights.bin").write_bytes(b"only for training")
    own = PluginUse(
        distribution="tuneloop",
        version=version("tuneloop"),
        names=("core-preprocessing", "core-signals", "core-tasks"),
        serving=True,
    )
    manifest = Manifest(
        model=model,
        task=Part(name=task.name, state=task.state()),
        preprocessor=preprocessor.name,
        base_model="tabular-mlp",
        strategy="full",
        signature=Signature(
            columns=preprocessor.columns,
            inputs=preprocessor.tensors,
            outputs=outputs,
            output_names=task.output_names,
        ),
        metrics={"accuracy": 0.9},
        variants={"float32": Variant(bytes=1, metrics={}, served=True, reason="the only one")},
        parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
        data=DataUse(fingerprint="none", rows={"train": 1}),
        lineage=Lineage(parent=None, pipeline="none"),
        plugins=(own, *plugins),
        temperature=None if temperature == 1.0 else tempered_by(temperature),
        libraries={},
    )
    return seal(folder, manifest)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Artifact]:
    """Makes artifacts in folders of their own."""

    def make(seed: int = 0, **options: Any) -> Artifact:
        return make_artifact(tmp_path_factory.mktemp("artifacts") / "artifact", seed, **options)

    return make


@pytest.fixture(scope="session")
def tiny_rows() -> Callable[..., list[dict[str, Any]]]:
    """Makes rows the tiny model takes."""
    return make_rows


@pytest.fixture(name="free_port")
def one_port() -> int:
    """A port nobody listened on a moment ago."""
    return free_port()


@pytest.fixture(scope="session")
def new_port() -> Callable[[], int]:
    """Finds a port nobody listens on."""
    return free_port


def make_keys(folder: Path) -> tuple[Path, Path]:
    """A private and a public Ed25519 key, as files."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private, public = folder / "sign.pem", folder / "verify.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture(scope="session")
def session_keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], tuple[Path, Path]]:
    """Makes pairs of keys: the files of the private and the public one."""
    return lambda: make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def keys(session_keys: Callable[[], tuple[Path, Path]]) -> Callable[[], tuple[Path, Path]]:
    """Makes pairs of keys: the files of the private and the public one."""
    return session_keys

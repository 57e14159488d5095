"""The predictor: groups of one length, outputs back in row order, errors with their cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tuneloop.api import ArtifactError, Column, Encoded, Preprocessor, RequestError, Tensor
from tuneloop.artifact import Artifact
from tuneloop.plugins import default_manager
from tuneloop.serving.predictor import Predictor
from tuneloop.tasks import MultiLabelClassification, TextClassification


class Letters(Preprocessor):
    """Characters as numbers: rows of one length are encoded together."""

    name = "letters"
    columns = (Column("text", "text"),)
    tensors = (Tensor("codes", "float32", ("batch", "length")),)

    @classmethod
    def fit(cls, options, columns, rows):
        return cls()

    def check(self, rows):
        if any(not row["text"] for row in rows):
            raise RequestError("is empty", field="text")
        return list(rows)

    def encode(self, rows):
        lengths = sorted({len(row["text"]) for row in rows})
        groups = []
        for length in lengths:
            places = tuple(i for i, row in enumerate(rows) if len(row["text"]) == length)
            codes = np.array([[ord(c) for c in rows[i]["text"]] for i in places], dtype=np.float32)
            groups.append(Encoded(places, {"codes": codes}, length))
        return groups

    def save(self, folder):
        pass

    @classmethod
    def load(cls, folder):
        return cls()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Logits: the greatest code point of the row, and its negative."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["codes"], ["top"], axes=[1], keepdims=1),
            helper.make_node("Neg", ["top"], ["negative"]),
            helper.make_node("Concat", ["top", "negative"], ["logits"], axis=1),
        ],
        "letters",
        [helper.make_tensor_value_info("codes", TensorProto.FLOAT, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    path = tmp_path / "model.onnx"
    onnx.save(made, path)
    return path


def test_rows_of_different_length_come_back_in_order(model: Path) -> None:
    predictor = Predictor(model, TextClassification(["high", "low"]), Letters())
    prediction = predictor.predict([{"text": text} for text in ("abc", "z", "ab", "a")])
    assert prediction.outputs["logits"][:, 0].tolist() == [99.0, 122.0, 98.0, 97.0]
    assert [answer["label"] for answer in prediction.answers] == ["high"] * 4
    assert [group.length for group in prediction.encoded] == [1, 2, 3]


def test_a_row_alone_and_in_company_has_the_same_answer(model: Path) -> None:
    predictor = Predictor(model, TextClassification(["high", "low"]), Letters())
    rows = [{"text": text} for text in ("ab", "c", "de")]
    assert [predictor.predict([row]).answers[0] for row in rows] == predictor.predict(rows).answers


def test_a_file_that_is_no_graph_says_which(tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match=r"cannot load .*model\.onnx"):
        Predictor(broken, TextClassification(["a", "b"]), Letters())


def logits_of(graph: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What the graph itself gives, in double precision."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return session.run(["logits"], inputs)[0].astype(np.float64)


def test_an_artifact_is_served_by_the_temperature_of_its_manifest(
    artifacts: Callable[..., Artifact], tiny_rows: Callable[..., list[dict[str, Any]]]
) -> None:
    artifact = artifacts(4, temperature=2.5)
    prediction = Predictor.open(artifact, default_manager()).predict(tiny_rows(12, 3))
    (group,) = prediction.encoded
    logits = logits_of(artifact.model, dict(group.inputs))
    weights = np.exp(logits / 2.5)
    wanted = weights / weights.sum(axis=1, keepdims=True)
    scores = np.array([list(answer["scores"].values()) for answer in prediction.answers])
    assert scores == pytest.approx(wanted, abs=1e-6)
    assert [answer["confidence"] for answer in prediction.answers] == pytest.approx(wanted.max(axis=1), abs=1e-6)
    assert prediction.outputs["embedding"] == pytest.approx(group.inputs["numeric"]), "only logits are divided"
    plain = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.abs(wanted - plain).max() > 0.05


def test_labels_are_served_by_the_logistic_function_of_tempered_logits(model: Path) -> None:
    rows = [{"text": text} for text in ("\x01", "\x03a", "b", "\x02")]
    predictor = Predictor(model, MultiLabelClassification(["high", "low"]), Letters(), temperature=40.0)
    answers = predictor.predict(rows).answers
    tops = np.array([1.0, 97.0, 98.0, 2.0])
    wanted = 1 / (1 + np.exp(-np.stack([tops, -tops], axis=1) / 40))
    assert [list(answer["scores"].values()) for answer in answers] == pytest.approx(wanted, abs=1e-6)
    assert [answer["labels"] for answer in answers] == [["high"]] * 4

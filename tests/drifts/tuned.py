"""A model tuned on some rows and served through ONNX Runtime, and what its signals say of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.api import BaseModel, Columns, ExportSpec, Preprocessor, Row, SignalBatch, Task, Tensor, TrainingData
from tuneloop.monitoring.signals import create_signals, tuneloop_signals
from tuneloop.pipeline.data.encoded import as_dataset, encode_rows, padded
from tuneloop.pipeline.evaluating.scoring import decoded
from tuneloop.serving.predictor import Predictor

_CALL = 512
_EMBEDDING = 384


def tune(
    base: BaseModel,
    task: Task,
    preprocessor: Preprocessor,
    rows: Sequence[Row],
    labels: Sequence[Any],
    folder: Path,
) -> Predictor:
    """Train the head on features of the frozen backbone, and export; the last fifth of the rows picks the epoch.

    Args:
        base: Makes the model.
        task: Fitted on the labels.
        preprocessor: Fitted for the model.
        rows: Requests.
        labels: Their answers.
        folder: Empty; for checkpoints and the graph.
    """
    from tuneloop_onnx import Onnx
    from tuneloop_torch import FeatureExtraction

    def part(start: int, end: int) -> Any:
        encoded = encode_rows(preprocessor, rows[start:end])
        return as_dataset(encoded, task.targets(labels[start:end]), preprocessor.tensors)

    def metric(logits: Any, targets: Any) -> dict[str, float]:
        predictions, references = decoded(task, logits, targets)
        here = references >= 0
        return {"accuracy": float((predictions.values[here] == references[here]).mean())}

    cut = len(rows) * 4 // 5
    model = base.build(folder, task, preprocessor)
    strategy = FeatureExtraction(FeatureExtraction.Options(epochs=10, eval_batch_size=32))
    data = TrainingData(
        part(0, cut), part(cut, len(rows)), preprocessor.tensors, task.loss, metric, "accuracy", maximize=True
    )
    strategy.fit(model, data, folder / "checkpoints", 0, lambda _: None)
    places = ("places",) if task.judged_as == "tagging" else ()
    spec = ExportSpec(
        preprocessor.tensors,
        (
            Tensor("logits", "float32", ("batch", *places, len(task.output_names))),
            Tensor("embedding", "float32", ("batch", _EMBEDDING)),
        ),
        padded(encode_rows(preprocessor, rows[:8]), preprocessor.tensors, range(3)),
    )
    (folder / "graph").mkdir()
    return Predictor(Onnx().export(model, spec, folder / "graph"), task, preprocessor)


def read_signals(predictor: Predictor, rows: Sequence[Row]) -> dict[str, Any]:
    """Each signal's values, in row order, as a server would count them."""
    preprocessor = predictor.preprocessor
    signals = create_signals(
        tuneloop_signals(), preprocessor.columns, preprocessor.tensors, predictor.task.output_names, _EMBEDDING
    )
    found: dict[str, list[Any]] = {signal.label: [] for signal in signals}
    for start in range(0, len(rows), _CALL):
        made = predictor.predict(rows[start : start + _CALL])
        batch = SignalBatch(made.rows, made.encoded, made.outputs, made.answers)
        for signal in signals:
            found[signal.label].append(signal.read(batch))
    return {label: np.concatenate(values) for label, values in found.items()}


def columns(role: str) -> Columns:
    """One input column, named as its role."""
    return Columns({role: role}, target="label")

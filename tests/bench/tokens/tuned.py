"""The same model through Tuneloop's own parts: preprocessor, strategy, exporter, predictor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneloop.api import Columns, ExportSpec, Tensor, TrainingData
from tuneloop.pipeline.data.encoded import as_dataset, encode_rows, padded
from tuneloop.pipeline.evaluating.scoring import decoded
from tuneloop.preprocessing import WordsPreprocessor
from tuneloop.serving.predictor import Predictor
from tuneloop.tasks import TokenClassification


def train_tuned(
    checkpoint: Path,
    train: Sequence[dict[str, Any]],
    test: Sequence[dict[str, Any]],
    labels: Sequence[str],
    folder: Path,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> list[list[str]]:
    """The tags that the exported model gives the words of the test rows; arguments as for `train_plain`.

    The best epoch is picked on the last tenth of the training rows, which is not trained on; nor does `train_plain`.
    """
    from tuneloop_onnx import Onnx
    from tuneloop_seqeval import EntityF1
    from tuneloop_torch import Full
    from tuneloop_transformers import TransformersTokens

    task = TokenClassification(labels)
    base = TransformersTokens(TransformersTokens.Options(checkpoint=str(checkpoint)))
    columns = Columns({"tokens": "tokens"}, "tags")
    words = WordsPreprocessor.fit(base.preprocessor(Path()).options, columns, None)  # type: ignore[arg-type]

    def part(rows: Sequence[dict[str, Any]]) -> Any:
        encoded = encode_rows(words, [{"tokens": row["tokens"]} for row in rows])
        return as_dataset(encoded, task.targets([row["tags"] for row in rows]), words.tensors)

    def metric(logits: Any, targets: Any) -> dict[str, float]:
        return {"entity_f1": EntityF1().compute(*decoded(task, logits, targets))}

    cut = len(train) * 9 // 10
    data = TrainingData(
        part(train[:cut]), part(train[cut:]), words.tensors, "cross_entropy", metric, "entity_f1", maximize=True
    )
    options = Full.Options(epochs=epochs, learning_rate=learning_rate, batch_size=16, warmup_ratio=0.0)
    model = base.build(folder, task, words)
    Full(options).fit(model, data, folder / "checkpoints", seed, lambda _: None)
    spec = ExportSpec(
        words.tensors,
        (
            Tensor("logits", "float32", ("batch", "places", len(labels))),
            Tensor("embedding", "float32", ("batch", model.backbone.config.hidden_size)),
        ),
        padded(encode_rows(words, [{"tokens": row["tokens"]} for row in train[:8]]), words.tensors, range(3)),
    )
    (folder / "graph").mkdir()
    predictor = Predictor(Onnx().export(model, spec, folder / "graph"), task, words)
    answered = []
    for start in range(0, len(test), 64):
        rows = [{"tokens": row["tokens"]} for row in test[start : start + 64]]
        answered += [answer["tags"] for answer in predictor.predict(rows).answers]
    return answered

"""The same model through Tuneloop's own parts: preprocessor, strategy, exporter, predictor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.answers.plain import LENGTH, STRIDE

from tuneloop.api import Columns, ExportSpec, Tensor, TrainingData
from tuneloop.pipeline.data.encoded import as_dataset, padded
from tuneloop.pipeline.evaluating.scoring import judge
from tuneloop.preprocessing import PassagesPreprocessor
from tuneloop.serving.predictor import Predictor
from tuneloop.tasks import QuestionAnswering


def train_tuned(
    checkpoint: Path,
    train: Sequence[dict[str, Any]],
    test: Sequence[dict[str, Any]],
    folder: Path,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> list[str]:
    """The texts that the exported model answers the test rows with; arguments as for `train_plain`.

    The best epoch is picked on the last tenth of the training rows, which is not trained on; nor does `train_plain`.
    """
    from tuneloop_onnx import Onnx
    from tuneloop_torch import Full
    from tuneloop_torchmetrics import AnswerF1
    from tuneloop_transformers import TransformersSpans

    task = QuestionAnswering()
    base = TransformersSpans(TransformersSpans.Options(checkpoint=str(checkpoint), max_length=LENGTH, overlap=STRIDE))
    columns = Columns({"question": "question", "context": "context"}, "answers")
    passages = PassagesPreprocessor.fit(base.preprocessor(Path()).options, columns, None)  # type: ignore[arg-type]

    def checked(rows: Sequence[dict[str, Any]]) -> Any:
        return passages.check([{name: row[name] for name in ("question", "context")} for row in rows])

    def part(rows: Sequence[dict[str, Any]]) -> Any:
        read = checked(rows)
        targets = task.targets_to(read, [row["answers"] for row in rows])
        return as_dataset(passages.encode(read), targets, passages.tensors)

    cut = len(train) * 9 // 10
    quoted, truth = checked(train[cut:]), [row["answers"] for row in train[cut:]]

    def metric(logits: Any, _: Any) -> dict[str, float]:
        return {"answer_f1": AnswerF1().compute(*judge(task, {"logits": logits}, truth, quoted))}

    data = TrainingData(
        part(train[:cut]), part(train[cut:]), passages.tensors, "span", metric, "answer_f1", maximize=True
    )
    options = Full.Options(epochs=epochs, learning_rate=learning_rate, batch_size=16, warmup_ratio=0.0)
    model = base.build(folder, task, passages)
    Full(options).fit(model, data, folder / "checkpoints", seed, lambda _: None)
    spec = ExportSpec(
        passages.tensors,
        (
            Tensor("logits", "float32", ("batch", "places", 2)),
            Tensor("embedding", "float32", ("batch", model.backbone.config.hidden_size)),
        ),
        padded(passages.encode(checked(train[:8])), passages.tensors, range(3)),
    )
    (folder / "graph").mkdir()
    predictor = Predictor(Onnx().export(model, spec, folder / "graph"), task, passages)
    answered = []
    for start in range(0, len(test), 32):
        rows = [{name: row[name] for name in ("question", "context")} for row in test[start : start + 32]]
        answered += [answer["answer"] for answer in predictor.predict(rows).answers]
    return answered

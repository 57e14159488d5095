"""`python -m tests.bench.pictures FILE`: accuracy of both on the test pictures of Fashion-MNIST, and their time."""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 28


def train_tuned(
    pictures: NDArray[np.uint8],
    labels: NDArray[Any],
    tested: NDArray[np.uint8],
    folder: Path,
    *,
    epochs: int,
    seed: int,
) -> NDArray[np.int64]:
    """The same through Tuneloop's own parts: source, preprocessor, network, strategy, exporter, predictor.

    The best epoch is picked on the last tenth of the pictures, which is not trained on.
    """
    from tuneloop.api import Columns, ExportSpec, Tensor, TrainingData
    from tuneloop.pipeline.data.encoded import as_dataset, encode_rows, padded
    from tuneloop.pipeline.evaluating.scoring import decoded
    from tuneloop.preprocessing import ImagePreprocessor
    from tuneloop.serving.predictor import Predictor
    from tuneloop.tasks import ImageClassification
    from tuneloop_files.png import png
    from tuneloop_onnx import Onnx
    from tuneloop_torch import Full
    from tuneloop_torchmetrics import Accuracy
    from tuneloop_vision import ImageCnn

    task = ImageClassification([str(number) for number in range(10)])
    base = ImageCnn(ImageCnn.Options(size=SIDE, channels=1, widths=(24, 48, 96)))
    columns = Columns({"image": "image"}, "label")
    images = ImagePreprocessor.fit(base.preprocessor(folder).options, columns, None)  # type: ignore[arg-type]

    def rows(some: NDArray[np.uint8]) -> list[dict[str, str]]:
        return [{"image": base64.b64encode(png(one)).decode()} for one in some]

    def part(some: NDArray[np.uint8], truth: NDArray[Any]) -> Any:
        return as_dataset(encode_rows(images, rows(some)), task.targets(truth.tolist()), images.tensors)

    def metric(logits: Any, targets: Any) -> dict[str, float]:
        return {"accuracy": Accuracy().compute(*decoded(task, logits, targets))}

    cut = len(pictures) * 9 // 10
    data = TrainingData(
        part(pictures[:cut], labels[:cut]), part(pictures[cut:], labels[cut:]), images.tensors, "cross_entropy", metric,
        "accuracy", maximize=True,
    )  # fmt: skip
    options = Full.Options(
        epochs=epochs, learning_rate=3e-3, batch_size=64, augment={"flip": True, "shift": 0.07}, label_smoothing=0.05
    )
    model = base.build(folder, task, images)
    Full(options).fit(model, data, folder / "checkpoints", seed, lambda _: None)
    spec = ExportSpec(
        images.tensors,
        (Tensor("logits", "float32", ("batch", 10)), Tensor("embedding", "float32", ("batch", 96))),
        padded(encode_rows(images, rows(pictures[:3])), images.tensors, range(3)),
    )
    (folder / "graph").mkdir()
    predictor = Predictor(Onnx().export(model, spec, folder / "graph"), task, images)
    return np.array([int(answer["label"]) for answer in predictor.predict(rows(tested)).answers])


def main() -> None:
    """Print a line a network and seed."""
    from tests.bench.pictures.plain import train_plain

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="fashion_mnist_subset.npz")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    with np.load(asked.data) as held:
        given = [held[name] for name in ("x_train", "y_train", "x_test")]
        truth = held["y_test"]
    for seed in asked.seeds:
        for name in ("plain", "Tuneloop"):
            begun, spent = time.perf_counter(), time.process_time()
            if name == "plain":
                answers = train_plain(*given, epochs=asked.epochs, seed=seed)
            else:
                with tempfile.TemporaryDirectory() as folder:
                    answers = train_tuned(*given, Path(folder), epochs=asked.epochs, seed=seed)
            seconds, processor = time.perf_counter() - begun, time.process_time() - spent
            sys.stdout.write(
                f"seed {seed}  {name:<9} accuracy {(answers == truth).mean():.4f}  "
                f"({seconds:.0f} s, {processor:.0f} s of processor)\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()

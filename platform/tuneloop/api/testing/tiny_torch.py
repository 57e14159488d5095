"""A tiny torch model with data it can learn: what strategies and exporters are tried on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api.exporter import ExportSpec
from tuneloop.api.strategy import TrainingData
from tuneloop.api.testing.checks import need
from tuneloop.api.types import Arrays, Tensor

WORDS, WIDTH, CLASSES = 30, 8, 3
TENSORS = (
    Tensor("input_ids", "int64", ("batch", "length")),
    Tensor("attention_mask", "int64", ("batch", "length")),
)
OUTPUTS = (Tensor("logits", "float32", ("batch", CLASSES)), Tensor("embedding", "float32", ("batch", WIDTH)))


def tiny_model() -> Any:
    """A bag-of-words classifier with the parts of `TorchModel`; equal weights on every call."""
    torch = need("torch")

    class Tiny(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(WORDS, WIDTH)
            self.layer = torch.nn.Linear(WIDTH, WIDTH)
            self.head = torch.nn.Linear(WIDTH, CLASSES)

        def features(self, input_ids: Any, attention_mask: Any) -> Any:
            mask = attention_mask.unsqueeze(-1).to(torch.float32)
            mean = (self.table(input_ids) * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
            return torch.tanh(self.layer(mean))

        def forward(self, input_ids: Any, attention_mask: Any) -> dict[str, Any]:
            embedding = self.features(input_ids, attention_mask)
            return {"logits": self.head(embedding), "embedding": embedding}

        def layer_groups(self) -> list[list[str]]:
            return [["head.weight", "head.bias"], ["layer.weight", "layer.bias"], ["table.weight"]]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return Tiny().eval()


def tiny_rows(count: int, seed: int) -> Any:
    """Encoded rows of mixed length; most words of a row come from the third of the vocabulary that is its class."""
    random = np.random.default_rng(seed)
    ids, labels = [], []
    third = WORDS // CLASSES
    for _ in range(count):
        label, length = int(random.integers(CLASSES)), int(random.integers(3, 9))
        own = random.integers(label * third, (label + 1) * third, length)
        ids.append(np.where(random.random(length) < 0.85, own, random.integers(0, WORDS, length)).tolist())
        labels.append(label)
    return need("datasets").Dataset.from_dict(
        {
            "input_ids": ids,
            "attention_mask": [[1] * len(row) for row in ids],
            "labels": labels,
            "length": [len(row) for row in ids],
        }
    )


def tiny_data() -> TrainingData:
    """Training and validation rows of the tiny model."""
    return TrainingData(
        train=tiny_rows(96, 1),
        validation=tiny_rows(48, 2),
        tensors=TENSORS,
        loss="cross_entropy",
        metric=_accuracy,
        best="accuracy",
        maximize=True,
    )


def tiny_spec() -> ExportSpec:
    """The graph the tiny model must become; the example has size 3 and 7 on its symbolic axes."""
    return ExportSpec(TENSORS, OUTPUTS, tiny_inputs(3, 7))


def tiny_inputs(batch: int, length: int) -> Arrays:
    """Inputs of the tiny model; the first row is padded to half."""
    random = np.random.default_rng(batch * 100 + length)
    mask = np.ones((batch, length), np.int64)
    mask[0, (length + 1) // 2 :] = 0
    return {"input_ids": random.integers(0, WORDS, (batch, length)), "attention_mask": mask}


def torch_outputs(model: Any, inputs: Arrays) -> Arrays:
    """The outputs of a torch model in evaluation mode, as arrays."""
    torch = need("torch")
    training = model.training
    model.to("cpu").eval()
    try:
        with torch.no_grad():
            outputs = model(**{name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in inputs.items()})
    finally:
        model.train(training)
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def torch_weights(model: Any) -> Arrays:
    """All weights of a torch model as arrays, by name."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in model.state_dict().items()}


def batches(rows: Any, tensors: tuple[Tensor, ...]) -> list[tuple[list[int], Arrays]]:
    """Encoded rows as batches of one length each, with the positions of their rows."""
    groups: dict[int, list[int]] = {}
    for position, length in enumerate(rows["length"]):
        groups.setdefault(length, []).append(position)
    return [
        (places, {t.name: np.asarray([rows[t.name][place] for place in places], t.dtype) for t in tensors})
        for places in groups.values()
    ]


def _accuracy(logits: NDArray[Any], labels: NDArray[Any]) -> dict[str, float]:
    return {"accuracy": float((logits.argmax(axis=1) == labels).mean())}

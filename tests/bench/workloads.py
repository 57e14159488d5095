"""What is sent: the same rows to every subject, as tensors and, for the typed door, as the columns they come from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.bench.models import COLUMNS, MOST_TOKENS, Model

from tuneloop.api import Arrays

_SAMPLES = 64
_FIRST_WORD, _LAST_WORD = 2000, 20000
_START, _END = 101, 102
_SHORTEST = 8
_WORDS = (
    "the",
    "message",
    "desk",
    "knows",
    "that",
    "a",
    "new",
    "day",
    "came",
    "and",
    "many",
    "people",
    "wrote",
    "about",
)


@dataclass(frozen=True)
class Sample:
    """One request of one row.

    Attributes:
        tensors: The graph's inputs, `[1, ...]`.
        row: The request's columns; None: only tensors can be sent.
        logits: What the graph gives for the tensors in this process.
    """

    tensors: Arrays
    row: dict[str, Any] | None
    logits: Sequence[float]


@dataclass(frozen=True)
class Workload:
    """A model and the requests it gets.

    Attributes:
        name: In the report.
        model: Which is served.
        kind: `table` or `encoder`: the shape of requests.
        samples: Sent in turn.
        inline: Whether a call is shorter than a hop to a thread.
        quantized: Whether the graph rounds to 8 bits, by the range of its whole batch.
        temperature: By what a served artifact divides the graph's logits.
    """

    name: str
    model: Model
    kind: str
    samples: Sequence[Sample]
    inline: bool
    quantized: bool = False
    temperature: float = 1.0


def table(model: Model) -> Workload:
    """Rows of a table: what is measured is the server."""
    from tuneloop.preprocessing.tabular import TabularPreprocessor

    chance = random.Random(5)
    preprocessor = TabularPreprocessor.load(model.artifact / "preprocessor")
    samples = []
    run = _session(model)
    for _ in range(_SAMPLES):
        row = {f"x{i}": round(chance.gauss(0, 1), 4) for i in range(COLUMNS)}
        inputs = preprocessor.encode(preprocessor.check([row]))[0].inputs
        samples.append(Sample(inputs, row, run(inputs)))
    return Workload("table", model, "table", samples, inline=True, temperature=_temperature(model))


def encoder(model: Model, name: str, lengths: Sequence[int]) -> Workload:
    """Rows of tokens, one for each length: what is measured is the model."""
    chance = random.Random(6)
    run = _session(model)
    samples = []
    for length in lengths:
        ids = [_START, *(chance.randint(_FIRST_WORD, _LAST_WORD) for _ in range(length - 2)), _END]
        inputs = {
            "input_ids": np.array([ids]),
            "attention_mask": np.ones((1, length), np.int64),
            "token_type_ids": np.zeros((1, length), np.int64),
        }
        samples.append(Sample(inputs, {"message": _text(length - 2, chance)}, run(inputs)))
    temperature = _temperature(model)
    return Workload(name, model, "encoder", samples, inline=False, quantized=name == "int8", temperature=temperature)


def even_lengths() -> list[int]:
    """As many tokens as the model takes."""
    return [MOST_TOKENS] * _SAMPLES


def mixed_lengths() -> list[int]:
    """Log-uniform: short texts are common, long ones are not rare."""
    chance = random.Random(7)
    return [round(_SHORTEST * (MOST_TOKENS / _SHORTEST) ** chance.random()) for _ in range(_SAMPLES)]


def _text(words: int, chance: random.Random) -> str:
    """Words of one token each."""
    return " ".join(chance.choice(_WORDS) for _ in range(words))


def _temperature(model: Model) -> float:
    from tuneloop.artifact import TRAINING, Artifact

    found = Artifact.open(model.artifact, skip=(TRAINING,)).manifest.temperature
    return found.value if found else 1.0


def _session(model: Model) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model.graph), providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(["logits"], inputs)[0][0].tolist()

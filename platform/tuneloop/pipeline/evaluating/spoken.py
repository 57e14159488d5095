"""What the steps do differently for a model that gives each frame of a sound a character: its answers are texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Arrays, Predictions, Strategy, Task, Tensor, scatter

if TYPE_CHECKING:
    from datasets import Dataset

_BATCH = 16
_MANY = 1_000


def spelling(task: Task, labels: NDArray[Any]) -> list[str]:
    """The texts of `Task.targets`, without the characters that no training text has."""
    names = task.output_names
    return ["".join(names[place] for place in row if place >= 0) for row in np.asarray(labels).tolist()]


def constant_transcript(task: Task, train: NDArray[Any], test: NDArray[Any]) -> tuple[Predictions, NDArray[Any]]:
    """Predictions and references where every sound is taken for the text that most training sounds have.

    Args:
        task: Its answers are texts.
        train: Targets of the training rows.
        test: Targets of the rows to answer.
    """
    right = task.references(spelling(task, test))
    common = Counter(text for texts in task.references(spelling(task, train)) for text in texts).most_common(1)
    values = np.empty(len(right), dtype=object)
    values[:] = [common[0][0] if common else ""] * len(right)
    return Predictions(values), right


def untuned_frames(strategy: Strategy, model: Any, tensors: Sequence[Tensor], rows: Dataset) -> NDArray[np.float32]:
    """Logits of encoded rows by the base model as it is, `float32 [n, frames, characters]`."""
    done: list[tuple[Sequence[int], Arrays]] = []
    plain = rows.with_format("numpy")
    for start in range(0, len(rows), _BATCH):
        part = plain[start : start + _BATCH]
        inputs = {tensor.name: np.asarray(part[tensor.name]).astype(tensor.dtype) for tensor in tensors}
        done.append((range(start, min(start + _BATCH, len(rows))), strategy.outputs(model, inputs)))
    return scatter(done, len(rows))["logits"]


def frame_counts(model: Any, rows: Dataset) -> NDArray[np.int64] | None:
    """How many frames the sounds of encoded rows have, `int64 [n]`; None: the model does not tell.

    Args:
        model: Perhaps a `tuneloop.api.FrameModel`.
        rows: Encoded.
    """
    if not hasattr(model, "frames"):
        return None
    told = rows.select_columns(list(model.frame_inputs)).with_format("numpy")
    parts = [np.asarray(model.frames(told[start : start + _MANY])) for start in range(0, len(told), _MANY)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

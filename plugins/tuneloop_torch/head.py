"""Train the head alone, on features of the frozen backbone that are computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tuneloop.api import ABSENT, PluginError, TrainingData
from tuneloop_torch.features import FEATURES, cached_features, feature_tensor
from tuneloop_torch.options import TrainOptions
from tuneloop_torch.rows import Rows
from tuneloop_torch.train import Progress, Stage, check_classes, train


class HeadOnly(nn.Module):
    """A head that reads features as its one input."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """`logits [batch, outputs]` of `features [batch, width]`; places that hold no word stay `ABSENT`."""
        features = inputs[FEATURES]
        if features.ndim == 2:
            return {"logits": self.head(features)}
        absent = features[..., :1] <= ABSENT / 2
        logits = self.head(features.masked_fill(absent, 0.0))
        return {"logits": logits.masked_fill(absent, ABSENT)}


def train_head(
    model: Any,
    rows: Rows,
    validation: Rows,
    data: TrainingData,
    options: TrainOptions,
    folder: Path,
    seed: int,
    progress: Progress,
    *,
    epochs: int,
) -> Stage:
    """Train `model.head` in place; the backbone is run once over each row, in evaluation mode, and not changed.

    Raises:
        PluginError: All of the head is frozen, or an option does not fit the data.
    """
    check_classes(data, options)
    if not any(parameter.requires_grad for parameter in model.head.parameters()):
        raise PluginError("tune.freeze names all of the head, which this strategy trains; leave it out there")
    cached = {
        part: cached_features(
            model,
            part_rows,
            data.tensors,
            options.eval_batch_size,
            folder / f"{part}.npy",
            options.precision,
        )
        for part, part_rows in (("train", rows), ("validation", validation))
    }
    model.to("cpu")
    rate = options.head_learning_rate or options.learning_rate
    stage = train(
        HeadOnly(model.head),
        cached["train"],
        cached["validation"],
        (feature_tensor(cached["train"]),),
        _of_the_whole(data, model),
        options,
        folder / "head",
        seed,
        progress,
        epochs=epochs,
        learning_rate=rate,
        head_learning_rate=rate,
    )
    model.to("cpu").eval()
    return stage


def _of_the_whole(data: TrainingData, model: Any) -> TrainingData:
    """The same data; what asks the model itself is given the one that the head belongs to."""
    judge = data.judge
    if judge is None:
        return data

    def judged(head: Any) -> Mapping[str, float]:
        return judge(model.to(next(head.parameters()).device).eval())

    return replace(data, judge=judged)

"""What every torch strategy can be told."""

from __future__ import annotations

from typing import Literal

import pydantic


class EarlyStopping(pydantic.BaseModel):
    """When to stop before the last epoch."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    metric: str | None = pydantic.Field(
        None, description="The validation metric to watch; by default the one that picks the best epoch."
    )
    patience: int = pydantic.Field(2, ge=1, description="Stop after this many epochs in a row without a new best.")


class TrainOptions(pydantic.BaseModel):
    """Options shared by all strategies of the training loop."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    epochs: int = pydantic.Field(3, ge=1, le=10_000, description="Passes over the training rows, at most.")
    learning_rate: float = pydantic.Field(3e-4, gt=0, le=1, description="Peak learning rate of the backbone.")
    head_learning_rate: float | None = pydantic.Field(
        None, gt=0, le=1, description="Peak learning rate of the last layer; by default `learning_rate`."
    )
    schedule: Literal["linear", "cosine", "constant"] = pydantic.Field(
        "linear", description="How the learning rate falls after warm-up."
    )
    warmup_ratio: float = pydantic.Field(
        0.1, ge=0, lt=1, description="Share of all steps in which the learning rate rises from zero."
    )
    batch_size: int = pydantic.Field(32, ge=1, le=65_536, description="Rows a training step.")
    eval_batch_size: int = pydantic.Field(64, ge=1, le=65_536, description="Rows a step of evaluation.")
    weight_decay: float = pydantic.Field(0.01, ge=0, le=1, description="AdamW weight decay; never on biases and norms.")
    max_grad_norm: float = pydantic.Field(1.0, ge=0, description="Gradients are scaled down to this norm; 0: never.")
    label_smoothing: float = pydantic.Field(
        0.0, ge=0, lt=1, description="Share of each target spread over all classes."
    )
    class_weights: Literal["none", "balanced"] = pydantic.Field(
        "none", description="`balanced` weighs each class by the inverse of its share of the training rows."
    )
    group_by_length: bool = pydantic.Field(
        True, description="Put rows of similar length into one batch: less padding, faster."
    )
    early_stopping: EarlyStopping | None = pydantic.Field(
        None, description="When to stop before the last epoch; by default never."
    )
    checkpoint_steps: int | None = pydantic.Field(
        None, ge=1, description="Also write a checkpoint every so many steps; by default after each epoch only."
    )
    precision: Literal["float32", "bfloat16", "auto"] = pydantic.Field(
        "float32",
        description="Arithmetic of forward and backward passes in training; weights and evaluation stay float32. "
        "`auto` takes bfloat16 where the processor has instructions for it.",
    )

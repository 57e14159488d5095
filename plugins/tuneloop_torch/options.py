"""What every torch strategy can be told."""

from __future__ import annotations

from typing import Literal

import pydantic

from tuneloop_torch.sections import Augment, Distill, EarlyStopping, Freeze, Reinitialize


class TrainOptions(pydantic.BaseModel):
    """Options shared by all strategies of the training loop."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    epochs: int = pydantic.Field(3, ge=1, le=10_000, description="Passes over the training rows, at most.")
    learning_rate: float = pydantic.Field(3e-4, gt=0, le=1, description="Peak learning rate of the backbone.")
    head_learning_rate: float | None = pydantic.Field(
        None, gt=0, le=1, description="Peak learning rate of the last layer; by default `learning_rate`."
    )
    layer_decay: float | None = pydantic.Field(
        None,
        gt=0,
        le=1,
        description="Each layer below the top one learns at this share of the rate of the layer above it; by default "
        "all learn at one rate.",
    )
    schedule: Literal["linear", "cosine", "constant", "polynomial"] = pydantic.Field(
        "linear", description="How the learning rate falls after warm-up."
    )
    schedule_power: float = pydantic.Field(
        2.0, gt=0, le=10, description="Exponent of `schedule: polynomial`; 1 is linear, more falls sooner."
    )
    warmup_ratio: float = pydantic.Field(
        0.1, ge=0, lt=1, description="Share of all steps in which the learning rate rises from zero."
    )
    batch_size: int = pydantic.Field(32, ge=1, le=65_536, description="Rows a training step.")
    micro_batch_size: int | None = pydantic.Field(
        None,
        ge=1,
        le=65_536,
        description="Rows computed at once: gradients of a batch's parts are added up (accumulation), so that results "
        "are those of `batch_size` in less memory; by default the whole batch.",
    )
    gradient_checkpointing: bool = pydantic.Field(
        False, description="Compute inner values of layers again instead of keeping them: slower, in less memory."
    )
    eval_batch_size: int = pydantic.Field(64, ge=1, le=65_536, description="Rows a step of evaluation.")
    weight_decay: float = pydantic.Field(0.01, ge=0, le=1, description="AdamW weight decay; never on biases and norms.")
    l1: float = pydantic.Field(
        0.0,
        ge=0,
        le=1,
        description="Weight of the sum of absolute weights in what is minimised; never of biases and norms.",
    )
    dropout: float | None = pydantic.Field(
        None, ge=0, lt=1, description="Dropout in all layers that have one; by default as the model says."
    )
    max_grad_norm: float = pydantic.Field(1.0, ge=0, description="Gradients are scaled down to this norm; 0: never.")
    label_smoothing: float = pydantic.Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of each target spread over all classes; refused where there are none: numbers, answers "
        "found in a text, written texts.",
    )
    class_weights: Literal["none", "balanced"] = pydantic.Field(
        "none",
        description="`balanced` weighs each class by the inverse of its share of the training rows; refused where "
        "there are no classes.",
    )
    freeze: Freeze | None = pydantic.Field(None, description="What is never trained; by default nothing.")
    reinitialize: Reinitialize | None = pydantic.Field(
        None, description="What starts from fresh numbers; by default the head of a pre-trained model alone."
    )
    distill: Distill | None = pydantic.Field(
        None,
        description="A larger model to learn from beside the labels; by default none. For tasks that answer with "
        "classes, labels or numbers (classification of texts, tokens, pictures, sounds and tables, and regression); "
        "question answering, speech recognition, and tasks that write texts refuse it.",
    )
    augment: Augment | None = pydantic.Field(
        None, description="How training pictures are changed, anew in each epoch; by default not."
    )
    group_by_length: bool = pydantic.Field(
        True, description="Put rows of similar length into one batch: less padding, faster."
    )
    early_stopping: EarlyStopping | None = pydantic.Field(
        None, description="When to stop before the last epoch; by default never."
    )
    written_rows: int | None = pydantic.Field(
        None,
        ge=0,
        le=100_000,
        description="Validation rows for which answers are written after each epoch by tasks that write texts, so that "
        "their metrics stand beside perplexity, and may pick the best epoch (`early_stopping.metric`). By default 100 "
        "where early stopping or a search goes by such a metric, else 0: writing a row costs about as much as training "
        "on three.",
    )
    checkpoint_steps: int | None = pydantic.Field(
        None, ge=1, description="Also write a checkpoint every so many steps; by default after each epoch only."
    )
    precision: Literal["float32", "bfloat16", "auto"] = pydantic.Field(
        "float32",
        description="Arithmetic of forward and backward passes in training; weights and evaluation stay float32. "
        "`auto` takes bfloat16 where the processor has instructions for it.",
    )
    compile: bool = pydantic.Field(
        False,
        description="Compile the training step (torch.compile): the first steps take minutes, the others less time; "
        "worth it on a GPU and for long trainings.",
    )

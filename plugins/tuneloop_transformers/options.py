"""What a project can say about a `transformers` base model."""

from __future__ import annotations

from typing import Literal

import pydantic

Pooling = Literal["mean", "cls", "last"]


class CheckpointOptions(pydantic.BaseModel):
    """Where a base model's weights and tokenizer come from."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with config.json, safetensors weights and "
        "tokenizer.json, or the name of a model on the Hugging Face hub.",
    )
    revision: str | None = pydantic.Field(
        None, description="Branch, tag or commit of a hub model; a commit makes runs repeatable."
    )


class TransformersOptions(CheckpointOptions):
    """Options of base model `transformers`."""

    max_length: int = pydantic.Field(128, ge=8, le=8192, description="Longer texts are cut to this many tokens.")
    pooling: Pooling = pydantic.Field(
        "mean",
        description="How token vectors become one: their mean, the first (`cls`), or the last one of the text.",
    )
    dropout: float = pydantic.Field(0.1, ge=0, lt=1, description="Dropout before the classification layer.")

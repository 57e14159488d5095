"""Options that are sections of their own: what is frozen, what starts anew, and who is learned from."""

from __future__ import annotations

from typing import Literal

import pydantic


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class EarlyStopping(_Section):
    """When to stop before the last epoch."""

    metric: str | None = pydantic.Field(
        None, description="The validation metric to watch; by default the one that picks the best epoch."
    )
    patience: int = pydantic.Field(2, ge=1, description="Stop after this many epochs in a row without a new best.")


class Augment(_Section):
    """How pictures are changed anew each time they are trained on; those a model is judged by stay as they are."""

    flip: bool = pydantic.Field(False, description="Mirror every second one, left to right.")
    rotate: float = pydantic.Field(0.0, ge=0, le=180, description="Turn by up to so many degrees.")
    scale: float = pydantic.Field(0.0, ge=0, le=0.9, description="Enlarge or reduce by up to this share.")
    shift: float = pydantic.Field(0.0, ge=0, le=0.5, description="Move by up to this share of a side.")
    crop: float = pydantic.Field(
        1.0, ge=0.2, le=1, description="Cut out a random part whose sides are at least this share; 1: never."
    )
    noise: float = pydantic.Field(0.0, ge=0, le=1, description="Add noise of this deviation, where white is 1.")
    mixup: float = pydantic.Field(
        0.0, ge=0, le=10, description="Mix pictures and labels in pairs: alpha of the beta distribution; 0: never."
    )


class Freeze(_Section):
    """What is never trained."""

    names: tuple[str, ...] = pydantic.Field(
        (), description="Patterns of parameter names, such as `*.embeddings.*`; each must fit at least one."
    )
    layers: int = pydantic.Field(
        0, ge=0, le=1000, description="The embeddings and this many layers above them, counted from the bottom."
    )

    @pydantic.model_validator(mode="after")
    def _says_something(self) -> Freeze:
        if not self.names and not self.layers:
            raise ValueError("give `names` (patterns of parameter names), `layers` (a number above 0), or both")
        return self


class Reinitialize(_Section):
    """What starts from fresh numbers instead of the pre-trained (or the champion's) weights."""

    head: Literal["xavier", "normal", "zero"] | None = pydantic.Field(
        None, description="Draw the last layer anew: Xavier uniform, normal with deviation 0.02, or zeros."
    )
    layers: int = pydantic.Field(0, ge=0, le=1000, description="Replace this many layers below the head by fresh ones.")
    names: tuple[str, ...] = pydantic.Field(
        (), description="Patterns of more parameter names; each must fit at least one."
    )
    method: Literal["xavier", "normal"] = pydantic.Field(
        "xavier", description="How `layers` and `names` are drawn; biases become 0, the scales of norms 1."
    )

    @pydantic.model_validator(mode="after")
    def _says_something(self) -> Reinitialize:
        if self.head is None and not self.layers and not self.names:
            raise ValueError("give `head`, `layers` (a number above 0) or `names`")
        return self


class Distill(_Section):
    """A larger model to learn from: its answers on the training rows are learned beside the labels.

    For classes, labels and numbers; question answering, speech recognition, and tasks that write texts refuse it.
    """

    artifact: str = pydantic.Field(
        min_length=1,
        description="The folder of its artifact, for the same task; relative to the project folder.",
    )
    temperature: float = pydantic.Field(
        2.0, gt=0, le=100, description="Both answers are softened by it: more shows more of what is not the answer."
    )
    alpha: float = pydantic.Field(
        0.5, gt=0, le=1, description="The teacher's share of the loss; the labels have the rest."
    )
